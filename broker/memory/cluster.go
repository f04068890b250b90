package memory

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
)

// MaxNodes is how many nodes of one cluster can be started at a time: they are
// bits of a word in every room.
const MaxNodes = 64

// Options are for NewCluster and New. Nil and zero are fine.
type Options struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Random gives the bits of epochs and tags; nil takes them from crypto/rand.
	// With a function that repeats, a run repeats.
	Random func() uint64
	// MaxPayload is the longest data of a message in bytes. Zero is 1 MiB; it has
	// no other upper bound.
	MaxPayload int
	// MaxBytes bounds what histories may hold, all rooms together. Past it rooms
	// give up the older half of what they have, some at each publish, and
	// Stats.Squeezed counts; it is a goal, not a wall. Zero is 256 MiB; negative
	// is no bound.
	MaxBytes int64
	// DedupeWindow is how long a publish key is remembered. Zero is 5 minutes: a
	// client that retries for one minute comes well before it ends.
	DedupeWindow time.Duration
	// MaxKeys bounds how many keys are remembered; past it the oldest go before
	// their time and Stats.KeysShortened counts them. Zero is 1,000,000, which is
	// 3,300 publishes a second through the whole window, at about 200 bytes each.
	MaxKeys int
	// ForgetAfter is how long the head of a room is known that nobody has open
	// and whose messages have all expired. Afterwards the room begins anew, with
	// another epoch. Zero is 24 hours: about 200 bytes for each room that was used
	// in a day.
	ForgetAfter time.Duration
}

// shardCount spreads the locks; with so many, two publishes on two cores rarely
// want the same one.
const shardCount = 64

// A Cluster is the store that nodes of one process share. Its methods may be
// called from any goroutine.
type Cluster struct {
	now     func() time.Time
	options Options
	id      string // random; begins every epoch
	salt    uint64 // of tags
	seed    maphash.Seed
	commits atomic.Uint64 // changes of any room
	keys    keys
	shards  [shardCount]shard

	held      atomic.Int64 // bytes of histories
	squeezed  atomic.Uint64
	forgotten atomic.Uint64

	// mu guards the slots: who starts or closes holds it, who calls a sink that
	// is not a room's holds it for reading.
	mu    sync.RWMutex
	slots [MaxNodes]*Broker
	lives uint64 // incarnations given
}

// A shard is a part of the rooms under one lock, which is held while their
// messages are delivered: that is what makes calls for one room sequential.
type shard struct {
	mu    sync.Mutex
	rooms map[string]*room
	order []*room // the same, for the hand
	hand  int     // the sweep's next place
	epoch string  // of rooms that begin now
	ages  uint64  // epochs so far
	_     [64]byte
}

// NewCluster makes an empty store. Nil options are fine.
func NewCluster(options *Options) *Cluster {
	c := &Cluster{now: time.Now, seed: maphash.MakeSeed()}
	if options != nil {
		c.options = *options
	}
	o := &c.options
	if o.Now != nil {
		c.now = o.Now
	}
	if o.Random == nil {
		o.Random = randomBits
	}
	o.MaxPayload = orDefault(o.MaxPayload, 1<<20)
	o.MaxBytes = orDefault(o.MaxBytes, 256<<20)
	o.DedupeWindow = orDefault(o.DedupeWindow, 5*time.Minute)
	o.MaxKeys = orDefault(o.MaxKeys, 1_000_000)
	o.ForgetAfter = orDefault(o.ForgetAfter, 24*time.Hour)
	id := binary.BigEndian.AppendUint64(nil, o.Random())
	c.id = strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(id))
	c.salt = o.Random()
	c.keys = keys{window: o.DedupeWindow, most: o.MaxKeys, answers: map[keyID]answer{}}
	for i := range c.shards {
		c.shards[i].rooms = map[string]*room{}
		c.shards[i].epoch = c.id
	}
	return c
}

func randomBits() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

func orDefault[T int | int64 | time.Duration](v, unset T) T {
	if v == 0 {
		return unset
	}
	return v
}

// Node makes a broker for one more node of this cluster, not yet started.
func (c *Cluster) Node() *Broker { return newBroker(c) }

// New makes a broker for a node that is alone. Nil options are fine.
func New(options *Options) *Broker {
	b := NewCluster(options).Node()
	b.alone = true
	return b
}

// Stats are counts of a cluster at one moment.
type Stats struct {
	Rooms    int   // that are open or remembered
	Messages int   // in histories
	Bytes    int64 // of histories, about
	Keys     int   // publish keys remembered
	// KeysShortened counts keys that were forgotten before the window ended,
	// because more came than Options.MaxKeys. While it rises, a retry may be
	// recorded twice.
	KeysShortened uint64
	// Squeezed counts messages that left before their time because of
	// Options.MaxBytes.
	Squeezed uint64
	// Forgotten counts rooms whose heads were forgotten.
	Forgotten uint64
}

// Stats counts. It looks at every room.
func (c *Cluster) Stats() Stats {
	s := Stats{Bytes: c.held.Load(), Squeezed: c.squeezed.Load(), Forgotten: c.forgotten.Load()}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		s.Rooms += len(sh.order)
		for _, r := range sh.order {
			if r.log != nil {
				s.Messages += r.log.records.len()
			}
		}
		sh.mu.Unlock()
	}
	c.keys.mu.Lock()
	s.Keys, s.KeysShortened = c.keys.order.len(), c.keys.shortened
	c.keys.mu.Unlock()
	return s
}

// LoseTail is for tests: it takes the last n messages of a room away and tells
// nobody, as a store does that comes back from a crash without what it had
// acknowledged. It returns how many it took. The publish keys stay.
func (c *Cluster) LoseTail(room string, n int) int {
	sh := c.shard(room)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.rooms[room]
	if r == nil || r.log == nil {
		return 0
	}
	l := r.log
	n = max(0, min(n, l.records.len()))
	for i := l.records.len() - n; i < l.records.len(); i++ {
		c.held.Add(-l.records.at(i).size())
	}
	l.records.cut(n)
	l.tag = l.trimmedTag
	if l.records.len() > 0 {
		l.tag = l.records.at(l.records.len() - 1).tag
	}
	l.commit = c.commits.Add(1)
	return n
}

func (c *Cluster) shard(room string) *shard {
	return &c.shards[maphash.String(c.seed, room)%shardCount]
}

// room returns the room of this name, new if need be. The shard is locked.
func (sh *shard) room(name string) *room {
	r := sh.rooms[name]
	if r == nil {
		r = &room{name: strings.Clone(name), epoch: sh.epoch, place: len(sh.order)}
		sh.rooms[r.name] = r
		sh.order = append(sh.order, r)
	}
	return r
}

func (sh *shard) remove(r *room) {
	delete(sh.rooms, r.name)
	last := len(sh.order) - 1
	sh.order[r.place] = sh.order[last]
	sh.order[r.place].place = r.place
	sh.order[last] = nil
	sh.order = sh.order[:last]
	if cap(sh.order) > 64 && len(sh.order) < cap(sh.order)/4 {
		sh.order = slices.Clip(slices.Clone(sh.order))
	}
}

// newEpoch makes all rooms of the shard that begin from now on have an epoch
// that no room had before.
func (c *Cluster) newEpoch(sh *shard) {
	sh.ages++
	sh.epoch = c.id + "-" + strconv.FormatUint(sh.ages, 36)
}

// sweep looks at some rooms of the shard, so that quiet ones are trimmed and
// forgotten without a timer: two of them for every publish outruns growth.
func (c *Cluster) sweep(sh *shard, now int64) {
	for range 2 {
		if len(sh.order) == 0 {
			return
		}
		sh.hand++
		if sh.hand >= len(sh.order) {
			sh.hand = 0
		}
		r := sh.order[sh.hand]
		if l := r.log; l != nil {
			c.held.Add(-l.expire(now))
			c.squeeze(l)
			if r.nodes == 0 && l.records.len() == 0 && l.used+int64(c.options.ForgetAfter) <= now {
				sh.remove(r)
				c.newEpoch(sh)
				c.forgotten.Add(1)
			}
		}
	}
}

// squeeze takes the older half of a history if all together hold too much.
func (c *Cluster) squeeze(l *log) {
	if c.options.MaxBytes < 0 || c.held.Load() <= c.options.MaxBytes {
		return
	}
	for range (l.records.len() + 1) / 2 {
		c.held.Add(-l.drop())
		c.squeezed.Add(1)
		l.squeezed = true
	}
}

// check refuses names that no room has.
func check(rooms ...string) error {
	for _, room := range rooms {
		if len(room) == 0 || len(room) > broker.MaxRoom {
			return broker.ErrBadRoom
		}
	}
	return nil
}
