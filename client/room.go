package client

import (
	"context"
	"errors"
	"slices"

	"github.com/finch-go/finch/protocol"
)

// A Room is a handle of a room: a value that costs nothing to make. Its methods
// may be called by any goroutine.
type Room struct {
	client *Client
	name   string
}

// Room returns the handle of a room. It does not join.
func (c *Client) Room(name string) Room { return Room{c, name} }

// Name returns the room's name.
func (r Room) Name() string { return r.name }

// Join joins the room and waits until the client is in. It stays in, over lost
// connections, until [Room.Leave]; its messages come with [Room.Events], and
// wait there from now on.
//
// A refusal is an [*Error] with the server's code. While the room is unavailable
// the client goes on trying. If ctx ends before the client is in, the join is
// taken back.
func (r Room) Join(ctx context.Context) (Joined, error) {
	c := r.client
	j := &joiner{done: make(chan struct{})}
	c.mu.Lock()
	if c.closed != nil {
		c.mu.Unlock()
		return Joined{}, c.closed
	}
	record := c.record(r.name)
	record.openStream()
	before := record.wanted
	record.wanted = true
	if record.member && !record.asked {
		defer c.mu.Unlock()
		return Joined{Room: r.name, Position: record.text}, nil
	}
	record.joiners = append(record.joiners, j)
	if !record.asked && record.again == nil {
		record.sendJoin()
	}
	c.mu.Unlock()
	select {
	case <-j.done:
	case <-c.life.Done():
		return Joined{}, context.Cause(c.life)
	case <-ctx.Done():
		if record.withdraw(j, before) {
			return Joined{}, context.Cause(ctx)
		}
	}
	if j.err != nil {
		return Joined{}, j.err
	}
	return *j.joined, nil
}

// withdraw takes a call of Join back, and the join with it if nobody else wants
// the client to be in the room; false if the call was settled meanwhile.
func (r *room) withdraw(j *joiner, before bool) bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	i := slices.Index(r.joiners, j)
	if i < 0 {
		return false
	}
	r.joiners = slices.Delete(r.joiners, i, i+1)
	if !before && len(r.joiners) == 0 {
		r.abandon()
	}
	return true
}

// Leave leaves the room. Nothing of it comes any more, what waited is forgotten,
// and [Room.Events] ends. It waits for the server's answer; while there is no
// connection there is nothing to wait for. To leave a room one is not in is no
// error.
func (r Room) Leave(ctx context.Context) error {
	c := r.client
	c.mu.Lock()
	record := c.rooms[r.name]
	if record == nil || c.closed != nil || !record.wanted && !record.given {
		c.mu.Unlock()
		return nil
	}
	given := record.given
	record.depart(notInRoom(r.name))
	if record.stream != nil {
		record.stream.clear()
	}
	if c.link == nil && !given { // finch.hello will not name it
		record.tidy()
		c.mu.Unlock()
		return nil
	}
	record.leaving = true
	c.mu.Unlock()
	_, err := c.ask(ctx, protocol.PathLeave, map[string]string{"room": r.name})
	c.mu.Lock()
	defer c.mu.Unlock()
	record.leaving = false
	record.tidy()
	if errors.Is(err, ErrConnectionLost) && !given { // with it the membership: the next one does not ask for it
		return nil
	}
	return err
}

// abandon takes a join back that nobody waits for any more.
func (r *room) abandon() {
	r.depart(notInRoom(r.name))
	if r.c.open {
		raw, err := protocol.Marshal(map[string]string{"room": r.name})
		if err == nil {
			r.c.put(&call{asks: true, outgoing: outgoing{Envelope: protocol.Envelope{Path: protocol.PathLeave, Data: raw}}})
		}
	}
	r.tidy()
}

// settleIn waits until the client is in the room, if it wants to be, so that what
// is asked about the room is not refused for coming too early.
func (r Room) settleIn(ctx context.Context) error {
	return r.client.wait(ctx, func() (bool, error) {
		if r.client.closed != nil {
			return true, r.client.closed
		}
		record := r.client.rooms[r.name]
		return record == nil || record.member || !record.wanted && !record.given, nil
	})
}

func (r *room) staleWatches() {
	for _, w := range r.watches {
		w.stale = true
	}
	if len(r.watches) > 0 {
		r.c.changed()
	}
}

func (r *room) removeWatch(w *watch) {
	if i := slices.Index(r.watches, w); i >= 0 {
		r.watches = slices.Delete(r.watches, i, i+1)
	}
}
