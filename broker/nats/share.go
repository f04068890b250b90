package nats

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// A share is a message under a room's and a node's name. It counts while the
// lease of its incarnation lives, so that a node which dies writes nothing. What
// it leaves behind is cleared away later, by one of the others.
type shareNote struct {
	Incarnation string `json:"incarnation"`
	Members     int    `json:"members"`
}

// shares are this node's.
type shares struct {
	// writing is held while a share is written, so that the last one counts: rooms
	// with the same hash wait for each other.
	writing [64]sync.Mutex

	mu      sync.Mutex
	mine    map[string]int      // by room
	stale   map[string]struct{} // rooms whose shares have to be written anew
	created time.Time           // of the stream
}

// clearAfter is how long a node is gone before its shares are cleared away.
const clearAfter = time.Minute

// After an outage a node may have a hundred thousand shares to write anew:
// sharesAtOnce of them before the lease gets its turn, sharesAbreast at a time.
const (
	sharesAtOnce  = 1000
	sharesAbreast = 16
)

// SetShare is documented at broker.Broker. A share that could not be written is
// written when the store can be reached again, so that the error may be passed
// over.
func (b *Broker) SetShare(ctx context.Context, room string, members int) error {
	if err := b.ready(ctx, room); err != nil {
		return err
	}
	if members < 0 {
		return fmt.Errorf("nats: a share of %d members", members)
	}
	s := &b.shares
	s.mu.Lock()
	if members == 0 {
		delete(s.mine, room)
	} else {
		s.mine[room] = members
	}
	s.mu.Unlock()
	err := b.writeShare(ctx, room)
	if err != nil { // it is written when the store can be reached
		s.mu.Lock()
		s.stale[room] = struct{}{}
		s.mu.Unlock()
	}
	return unserved(ctx, err)
}

// sharesMadeAnew writes all shares if the stream that had them is another one.
func (b *Broker) sharesMadeAnew(ctx context.Context, created time.Time) error {
	s := &b.shares
	s.mu.Lock()
	same := s.created.Equal(created)
	s.mu.Unlock()
	if same {
		return nil
	}
	if err := b.writeNoShare(ctx); err != nil {
		return err
	}
	s.rewrite()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created = created
	return nil
}

// writeShare writes what the share of a room is now.
func (b *Broker) writeShare(ctx context.Context, room string) error {
	s := &b.shares
	token := tokenOf(room)
	turn := &s.writing[hashOf(token)%uint32(len(s.writing))]
	turn.Lock()
	defer turn.Unlock()
	s.mu.Lock()
	members := s.mine[room]
	s.mu.Unlock()
	b.nodes.mu.Lock()
	note := shareNote{b.nodes.self.Incarnation, members}
	b.nodes.mu.Unlock()
	data, err := json.Marshal(note)
	if err != nil {
		return err
	}
	m := natsgo.NewMsg(b.layout.share(token, b.id))
	m.Data = data
	if members == 0 {
		m.Header[headerTTL] = []string{"1s"} // it removes itself
	}
	_, err = b.store(ctx, m)
	return err
}

// rewrite has all shares written anew, under a new incarnation.
func (s *shares) rewrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for room := range s.mine {
		s.stale[room] = struct{}{}
	}
}

// beginShares clears away what an earlier life of this node left, and writes the
// share of no room, which is there to be found by every question for shares.
func (b *Broker) beginShares(ctx context.Context, created time.Time) error {
	b.shares.created = created
	b.shares.mine, b.shares.stale = map[string]int{}, map[string]struct{}{}
	if err := b.clearSharesOf(ctx, b.id); err != nil {
		return err
	}
	return b.writeNoShare(ctx)
}

// writeNoShare writes the share of no room.
func (b *Broker) writeNoShare(ctx context.Context) error {
	m := natsgo.NewMsg(b.layout.share("~", b.id))
	_, err := b.store(ctx, m)
	return err
}

func (b *Broker) clearSharesOf(ctx context.Context, node string) error {
	return b.askAPI(ctx, "STREAM.PURGE."+b.layout.sharesStream(), map[string]string{"filter": b.layout.share("*", node)}, nil)
}

// clearShares does what is left to be done: it writes shares anew that have to
// be, and clears away those of nodes that are gone for long, if no other node is
// to do that.
func (b *Broker) clearShares() {
	more := b.writeStale()
	for _, id := range b.nodes.goneFor(clearAfter) {
		if b.clearSharesOf(b.life, id) == nil {
			b.nodes.cleared(id)
		}
	}
	if more {
		b.reletNow()
	}
}

// writeStale writes some of the shares anew that have to be, and reports whether
// there are more of them.
func (b *Broker) writeStale() (more bool) {
	s := &b.shares
	s.mu.Lock()
	var rooms []string
	for room := range s.stale {
		if rooms = append(rooms, room); len(rooms) == sharesAtOnce {
			break
		}
	}
	more = len(s.stale) > len(rooms)
	s.mu.Unlock()
	var g group
	for part := range slices.Chunk(rooms, 1+len(rooms)/sharesAbreast) {
		g.Go(func() error {
			for _, room := range part {
				s.mu.Lock()
				delete(s.stale, room)
				s.mu.Unlock()
				if err := b.writeShare(b.life, room); err != nil {
					s.mu.Lock()
					s.stale[room] = struct{}{}
					s.mu.Unlock()
					return err
				}
			}
			return nil
		})
	}
	return g.Wait() == nil && more
}

// goneFor lists nodes that have been gone for long and left shares behind, if
// this node is the one to clear up: the first of the live ones.
func (n *nodes) goneFor(d time.Duration) (ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, p := range n.peers {
		if p.live && id < n.self.ID {
			return nil
		}
		if !p.live && !p.cleared && time.Since(p.heard) >= d {
			ids = append(ids, id)
		}
	}
	return ids
}

func (n *nodes) cleared(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.peers[id]; p != nil && !p.live {
		p.cleared = true
	}
}

// Shares is documented at broker.Broker.
func (b *Broker) Shares(ctx context.Context, room string) ([]broker.Share, error) {
	if err := b.ready(ctx, room); err != nil {
		return nil, err
	}
	var found []broker.Share
	err := b.again(ctx, func() (err error) {
		found, err = b.readShares(ctx, tokenOf(room))
		return err
	})
	if err != nil {
		return nil, unserved(ctx, err)
	}
	slices.SortFunc(found, func(a, b broker.Share) int { return cmp.Compare(a.Node.ID, b.Node.ID) })
	return found, nil
}

func (b *Broker) readShares(ctx context.Context, token string) ([]broker.Share, error) {
	stream := b.layout.sharesStream()
	info, err := b.streamInfo(ctx, stream, "")
	if err != nil {
		return nil, err
	}
	prefix := b.layout.share(token, "")
	got, err := b.directGet(ctx, stream, directQuestion{LastFor: []string{b.layout.share("~", b.id), prefix + "*"}})
	if err != nil {
		return nil, err
	}
	if got.none || got.upTo < info.State.LastSequence || got.pending > 0 {
		return nil, errStale
	}
	var found []broker.Share
	for _, m := range got.messages {
		id, ok := strings.CutPrefix(header(m.Header, headerSubject), prefix)
		var note shareNote
		if !ok || json.Unmarshal(m.Data, &note) != nil || note.Members <= 0 {
			continue
		}
		if state, ok := b.nodes.lives(id, note.Incarnation); ok {
			found = append(found, broker.Share{Node: state, Members: note.Members})
		}
	}
	return found, nil
}
