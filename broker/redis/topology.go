package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// topology is which server owns each partition of a Cluster.
type topology struct {
	mu     sync.Mutex // held while the servers are asked, so that one asks for all
	owners []string
	at     time.Time
}

var errNoOwner = errors.New("redis: no server of the cluster serves the slot")

// owner returns the address of the server whose the partition is, by an answer
// that is younger than since.
func (b *Broker) owner(ctx context.Context, partition int, since time.Time) (string, error) {
	if !b.cluster {
		for address := range b.client().Nodes() {
			return address, nil
		}
		return "", errNoOwner
	}
	t := &b.topology
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owners == nil || !t.at.After(since) {
		if err := b.locate(ctx); err != nil {
			return "", err
		}
	}
	if address := t.owners[partition]; address != "" {
		return address, nil
	}
	t.owners = nil
	return "", errNoOwner
}

// moved takes from an error where a partition is now, if it says so.
func (b *Broker) moved(partition int, err error) {
	if !b.cluster {
		return
	}
	refused, ok := rueidis.IsRedisErr(err)
	address := ""
	if ok {
		address, ok = refused.IsMoved()
	}
	if !ok && !errors.Is(err, errUnknownServer) {
		return
	}
	if t := &b.topology; ok {
		t.mu.Lock()
		if t.owners != nil {
			t.owners[partition], t.at = address, time.Now()
		}
		t.mu.Unlock()
	}
	// The client gets to know servers by being sent to them.
	ctx, cancel := context.WithTimeout(b.life, b.options.Timeout)
	defer cancel()
	b.say(ctx, b.lane(partition).probe, newFrame(frameProbe, 0, "", nil))
}

// locate asks the servers, any of them, for the owners. The topology is locked.
func (b *Broker) locate(ctx context.Context) error {
	began := time.Now()
	last := errNoOwner
	for address, node := range b.client().Nodes() {
		ctx, cancel := context.WithTimeout(ctx, b.options.Timeout)
		answer, err := node.Do(ctx, node.B().ClusterSlots().Build()).ToArray()
		cancel()
		if err != nil {
			last = err
			continue
		}
		ranges, err := parseRanges(answer, address)
		if err != nil {
			last = err
			continue
		}
		b.topology.owners, b.topology.at = b.names.owners(ranges), began
		return nil
	}
	return last
}

// A slotRange says who owns the slots from first to last.
type slotRange struct {
	first, last uint16
	owner       string
}

// parseRanges reads the answer to CLUSTER SLOTS that a server gave.
func parseRanges(answer []rueidis.RedisMessage, from string) ([]slotRange, error) {
	var ranges []slotRange
	for _, part := range answer {
		fields, err := part.ToArray()
		if err != nil || len(fields) < 3 {
			return nil, fmt.Errorf("redis: CLUSTER SLOTS of %s has a range without a server", from)
		}
		first, err1 := fields[0].AsInt64()
		last, err2 := fields[1].AsInt64()
		server, err3 := fields[2].ToArray()
		if err := errors.Join(err1, err2, err3); err != nil || len(server) < 2 || first < 0 || last >= slots {
			return nil, fmt.Errorf("redis: CLUSTER SLOTS of %s is not understood", from)
		}
		host, _ := server[0].ToString()
		port, err := server[1].AsInt64()
		if err != nil {
			return nil, err
		}
		if host == "" { // a server that does not know its own address means: the one you used
			host, _, _ = net.SplitHostPort(from)
		}
		owner := ""
		if host != "?" {
			owner = net.JoinHostPort(host, strconv.FormatInt(port, 10))
		}
		ranges = append(ranges, slotRange{uint16(first), uint16(last), owner})
	}
	return ranges, nil
}

// owners returns who owns each partition, and last the system's.
func (n *names) owners(ranges []slotRange) []string {
	owners := make([]string, len(n.tags)+1)
	for i := range owners {
		slot := slotOf(n.tag(i))
		if r := slices.IndexFunc(ranges, func(r slotRange) bool { return r.first <= slot && slot <= r.last }); r >= 0 {
			owners[i] = ranges[r].owner
		}
	}
	return owners
}

// relocate looks whether partitions have moved without a word: a server that was
// the owner and has become a replica goes on telling what it hears, as long as it
// hears anything.
func (b *Broker) relocate(ctx context.Context) {
	since := time.Now().Add(-b.rhythm.probe / 2)
	for _, l := range b.lanes {
		address, err := b.owner(ctx, l.partition, since)
		if err != nil {
			continue
		}
		l.mu.Lock()
		ln := l.line
		l.mu.Unlock()
		if ln != nil && ln.address != address {
			l.lose(ln, fmt.Errorf("redis: %s is not the master any more, %s is", ln.address, address))
		}
	}
	b.closeUnused()
}

// lane returns the lane on which a partition is heard.
func (b *Broker) lane(partition int) *lane {
	if b.cluster {
		return b.lanes[partition]
	}
	return b.lanes[0]
}

// laneOf returns the lane of a room.
func (b *Broker) laneOf(room string) *lane { return b.lane(b.names.partition(room)) }

// uncertain tells the sink that every room is uncertain.
func (b *Broker) uncertain(why error) {
	for _, l := range b.lanes {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	if !b.lanes[0].closed {
		b.sink.Uncertain(broker.Scope{}, why)
	}
}
