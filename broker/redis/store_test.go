package redis_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// A store is a namespace on real servers, with what a test does behind the
// broker's back.
type store struct {
	t         testing.TB
	options   redis.Options
	client    rueidis.Client
	namespace string
}

func newStore(t testing.TB, o redis.Options) *store {
	t.Helper()
	o.Namespace = namespace()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: o.Addresses, Sentinel: rueidis.SentinelOption{MasterSet: o.SentinelMaster}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &store{t: t, options: o, client: client, namespace: o.Namespace}
}

// contract is the store as the suite of the contract wants it.
func (s *store) contract() *brokertest.Store {
	return &brokertest.Store{
		Node:     func() broker.Broker { return redis.New(s.options) },
		Advance:  s.advance,
		LoseTail: s.loseTail,
	}
}

// keys are the names of all keys of the namespace.
func (s *store) keys() []string {
	s.t.Helper()
	seen := map[string]bool{}
	for _, node := range s.client.Nodes() {
		for cursor := uint64(0); ; {
			page, err := node.Do(context.Background(), node.B().Scan().Cursor(cursor).Match(s.namespace+":*").Count(1000).Build()).AsScanEntry()
			if err != nil {
				s.t.Fatal(err)
			}
			for _, key := range page.Elements {
				seen[key] = true
			}
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	var keys []string
	for key := range seen {
		keys = append(keys, key)
	}
	return keys
}

// shift makes a key as old as it would be after a while.
const shift = `
local kind, d = ARGV[1], tonumber(ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left <= d then
	return redis.call('DEL', KEYS[1])
elseif left >= 0 then
	redis.call('PEXPIRE', KEYS[1], left - d)
end
local function earlier(text, at)
	local ms = struct.unpack('>I6', text, at)
	return struct.pack('>I6', math.max(0, ms - d))
end
if kind == 'h' then
	local head = redis.call('GET', KEYS[1])
	redis.call('SETRANGE', KEYS[1], 24, earlier(head, 25))
	redis.call('SETRANGE', KEYS[1], 38, earlier(head, 39))
elseif kind == 'm' then
	for i = 0, redis.call('LLEN', KEYS[1]) - 1 do
		local record = redis.call('LINDEX', KEYS[1], i)
		redis.call('LSET', KEYS[1], i, string.sub(record, 1, 32) .. earlier(record, 33) .. string.sub(record, 39))
	end
end
return 1`

// advance moves the store's clock on, by making all that stands in it older.
// Leases stay as they are: the nodes are to live.
func (s *store) advance(d time.Duration) {
	s.t.Helper()
	for _, key := range s.keys() {
		kind := strings.TrimPrefix(key, s.namespace+":")[:1]
		if kind == "{" {
			continue
		}
		s.eval(shift, []string{key}, kind, strconv.FormatInt(d.Milliseconds(), 10))
	}
}

const cutTail = `
local n = tonumber(ARGV[1])
local flags, epoch, offset = struct.unpack('>Bc8I7', redis.call('GET', KEYS[1]))
local first = redis.call('LINDEX', KEYS[2], -n)
redis.call('LTRIM', KEYS[2], 0, -n - 1)
-- The tag of the message before the first one that is lost.
local place = struct.pack('>c8I7c8', epoch, offset - n, string.sub(first, 25, 32))
redis.call('SETRANGE', KEYS[1], 1, place)
return 1`

// loseTail takes messages away, as a failover to a replica does that was behind.
func (s *store) loseTail(room string, n int) {
	s.t.Helper()
	head, messages := redis.RoomKeys(s.options, room)
	s.eval(cutTail, []string{head, messages}, strconv.Itoa(n))
}

func (s *store) eval(script string, keys []string, args ...string) {
	s.t.Helper()
	command := s.client.B().Eval().Script(script).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
	if err := s.client.Do(context.Background(), command).Error(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) node(id string, sink broker.Sink, profiles ...broker.Profile) *redis.Broker {
	s.t.Helper()
	return started(s.t, s.options, id, sink, profiles...)
}

func publish(t testing.TB, b broker.Broker, room, data string, o broker.PublishOptions) broker.Position {
	t.Helper()
	ack, err := b.Publish(t.Context(), room, []byte(data), o)
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	return ack.Position
}

func open(t testing.TB, b broker.Broker, rooms ...string) []broker.Head {
	t.Helper()
	heads, err := b.Open(t.Context(), rooms)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return heads
}

func names(prefix string, n int) []string {
	rooms := make([]string, n)
	for i := range rooms {
		rooms[i] = fmt.Sprint(prefix, "-", i)
	}
	return rooms
}

// through are the options with which the store is reached through a proxy.
func (s *store) through(p *proxy) redis.Options {
	o := s.options
	o.Addresses = []string{p.address()}
	return o
}

// left is how long a key has left to live.
func (s *store) left(key string) time.Duration {
	s.t.Helper()
	ms, err := s.client.Do(context.Background(), s.client.B().Pttl().Key(key).Build()).AsInt64()
	if err != nil {
		s.t.Fatal(err)
	}
	return time.Duration(ms) * time.Millisecond
}

// length is how many elements a list has.
func (s *store) length(key string) int {
	s.t.Helper()
	n, err := s.client.Do(context.Background(), s.client.B().Llen().Key(key).Build()).AsInt64()
	if err != nil {
		s.t.Fatal(err)
	}
	return int(n)
}

// fields are the fields of a hash.
func (s *store) fields(key string) []string {
	s.t.Helper()
	fields, err := s.client.Do(context.Background(), s.client.B().Hkeys().Key(key).Build()).AsStrSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	return fields
}
