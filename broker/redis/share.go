package redis

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// shares are how many members of each room this node has. They stand in the store
// as well, each under the incarnation that set it, and expire there: what a node
// left behind that died is passed over by readers and gone after a while.
type shares struct {
	mu      sync.Mutex
	members map[string]int
}

const (
	// shareLife is how long a share stands in the store; it is written again every
	// shareRefresh.
	shareLife    = time.Hour
	shareRefresh = 20 * time.Minute
)

func (s *shares) get(room string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[room]
}

func (s *shares) set(room string, members int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if members == 0 {
		delete(s.members, room)
	} else {
		s.members[room] = members
	}
}

func (s *shares) rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.members))
}

// SetShare is documented at broker.Broker. If it fails, the share is written later
// nonetheless: it is what this node has.
func (b *Broker) SetShare(ctx context.Context, room string, members int) error {
	if err := b.ready(ctx, room); err != nil {
		return err
	}
	if members < 0 {
		return fmt.Errorf("redis: a share of %d members", members)
	}
	b.shares.set(room, members)
	if err := b.writeShares(ctx, []string{room}, ""); err != nil {
		return b.unavailable(ctx, err)
	}
	return nil
}

// writeShares makes the store hold what this node has of the rooms, and takes away
// what an older incarnation of it had. Whoever writes looks afterwards whether
// there is something newer: so the last one to write has written the newest.
func (b *Broker) writeShares(ctx context.Context, rooms []string, older string) error {
	life := strconv.FormatInt(shareLife.Milliseconds(), 10)
	for len(rooms) > 0 {
		some := rooms[:min(len(rooms), pipelineBatch)]
		rooms = rooms[len(some):]
		for len(some) > 0 {
			c, self := b.client(), b.census.self()
			var commands []rueidis.Completed
			wrote := make([]int, len(some))
			for i, room := range some {
				key := b.names.key(kindShares, room)
				if wrote[i] = b.shares.get(room); wrote[i] == 0 {
					commands = append(commands, c.B().Hdel().Key(key).Field(memberOf(self)).Build())
				} else {
					commands = append(commands,
						c.B().Hset().Key(key).FieldValue().FieldValue(memberOf(self), strconv.Itoa(wrote[i])).Build(),
						c.B().Arbitrary("PEXPIRE").Keys(key).Args(life).Build())
				}
				if older != "" {
					commands = append(commands, c.B().Hdel().Key(key).Field(older).Build())
				}
			}
			for _, result := range c.DoMulti(ctx, commands...) {
				if err := result.Error(); err != nil {
					return err
				}
			}
			var again []string
			for i, room := range some {
				if b.shares.get(room) != wrote[i] || b.census.self() != self {
					again = append(again, room)
				}
			}
			some = again
		}
	}
	return nil
}

// removeShares takes all of this node's shares away, before it goes.
func (b *Broker) removeShares(ctx context.Context) {
	for _, room := range b.shares.rooms() {
		b.shares.set(room, 0)
		if ctx.Err() != nil {
			return
		}
		c := b.client()
		if err := c.Do(ctx, c.B().Hdel().Key(b.names.key(kindShares, room)).Field(memberOf(b.census.self())).Build()).Error(); err != nil {
			return // they do not count any more, and expire
		}
	}
}

// Shares is documented at broker.Broker. Which nodes live is asked together with
// the shares.
func (b *Broker) Shares(ctx context.Context, room string) ([]broker.Share, error) {
	if err := b.ready(ctx, room); err != nil {
		return nil, err
	}
	c := b.client()
	key := b.names.key(kindShares, room)
	fields, err := c.Do(ctx, c.B().Hgetall().Key(key).Build()).AsStrMap()
	if err != nil {
		return nil, b.unavailable(ctx, err)
	}
	if len(fields) == 0 {
		return nil, nil
	}
	_, live, err := b.lease(ctx, "look", b.census.self().Incarnation)
	if err != nil {
		return nil, b.unavailable(ctx, err)
	}
	var found []broker.Share
	var dead []string
	for member, members := range fields {
		n, err := strconv.Atoi(members)
		state, ok := parseMember(member)
		if !ok || err != nil || n <= 0 || !slices.Contains(live, state) {
			dead = append(dead, member)
			continue
		}
		found = append(found, broker.Share{Node: state, Members: n})
	}
	if len(dead) > 0 {
		// An incarnation that has gone does not come back: whoever sees its share
		// clears it away.
		c.Do(ctx, c.B().Hdel().Key(key).Field(dead...).Build())
	}
	slices.SortFunc(found, func(a, b broker.Share) int { return cmp.Compare(a.Node.ID, b.Node.ID) })
	return found, nil
}

// memberOf is how a node's life is named in the store.
func memberOf(n broker.NodeState) string { return n.ID + " " + n.Incarnation }

func parseMember(member string) (n broker.NodeState, ok bool) {
	id, incarnation, ok := strings.Cut(member, " ")
	return broker.NodeState{ID: id, Incarnation: incarnation}, ok && validNodeID(id) && incarnation != ""
}
