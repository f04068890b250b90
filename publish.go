package finch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// Position says where a reader stands in a room. It grants nothing and may be
// shown and stored; see [broker.Position].
type Position = broker.Position

// maxKey bounds a publish key in bytes.
const maxKey = 128

// Publish records an event in the room, and delivers it to every member on
// every node: in one order for all, and to those who are away when they come
// back, as far as the room's history reaches. It returns where the message
// stands. What is not declared keeps a hundred messages for five minutes, for
// [Room.History]; clients that come back are caught up at their user's address
// and at everyone's only if DeclareUsers and DeclareEveryone say so.
//
// It blocks until the broker has recorded the message; the one in memory does
// so at once. What was published is in order within its room only: a Send of
// the same goroutine may overtake it or be overtaken.
//
// A nil error says that it is recorded. ErrUnavailable says that it is not;
// after ErrUnknownOutcome and after ctx has ended it may be. Then publish again
// with the same [WithKey]: it is recorded once, and a repetition gets the first
// one's position. ErrKeyReused: the key was used in this room for another
// message. ErrTooLarge, and errors of the path, the room's name and the data,
// are as with [Room.Send].
func (r Room) Publish(ctx context.Context, path string, data any, opts ...SendOption) (Position, error) {
	o := sendOptions(opts)
	p := broker.PublishOptions{Key: o.key, Publisher: serverPublisher}
	if o.from != nil {
		p.From = o.from.name()
	}
	ack, err := r.record(ctx, path, data, p, opts)
	return ack.Position, err
}

// serverPublisher is whose keys the server's own are.
const serverPublisher = "server"

// record publishes on behalf of whoever the options of the broker name.
func (r Room) record(ctx context.Context, path string, data any, p broker.PublishOptions, opts []SendOption) (broker.Ack, error) {
	if err := checkEventPath(path); err != nil {
		return broker.Ack{}, err
	}
	if err := r.check(); err != nil {
		return broker.Ack{}, err
	}
	o := sendOptions(opts)
	rec := record{path: path, status: o.status, replace: o.replaces}
	if bytes, ok := data.([]byte); ok {
		rec.binary, rec.data = true, bytes
	} else {
		raw, err := marshal(data)
		if err != nil {
			return broker.Ack{}, err
		}
		rec.data = raw
	}
	if o.except != nil {
		rec.except = o.except.clientID()
	}
	return r.manager.publish(ctx, r.at, &rec, p)
}

// publish records a message at an address.
func (m *SocketManager) publish(ctx context.Context, at hub.Address, rec *record, o broker.PublishOptions) (broker.Ack, error) {
	if len(o.Key) > maxKey || !utf8.ValidString(o.Key) {
		return broker.Ack{}, Errorf(protocol.StatusBadRequest, protocol.RefusalBadKey, "a publish key is text of 1 to %d bytes", maxKey)
	}
	if len(rec.data) > m.gate.config.QueueBytes/2 { // members would never get it
		return broker.Ack{}, ErrTooLarge
	}
	n := m.node
	if err := n.ready(ctx); err != nil {
		return broker.Ack{}, notDone(err)
	}
	name := storeName(at)
	o.Profile = m.declarations.of(at).profile().Name
	if n.wanted(name) {
		if err := n.lead(ctx, name); err != nil {
			return broker.Ack{}, notDone(err)
		}
	}
	ack, err := n.broker.Publish(ctx, name, rec.append(nil), o)
	switch {
	case err == nil:
		return ack, nil
	case errors.Is(err, broker.ErrTooLarge):
		return ack, ErrTooLarge
	case decided(err):
		return ack, err
	}
	return ack, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// leadTime bounds how long a publish waits for its room to be live.
const leadTime = 2 * time.Second

// lead makes an address that has members here live, before something is recorded
// in it: it may have been only sent to until now. In one that was live before and
// finds out what it missed nothing would be lost; but if that ends with a reset,
// the members would not be told what was recorded just before.
func (n *node) lead(ctx context.Context, name string) error {
	switch {
	case n.runner.Live(name):
		return nil
	case broker.State(n.state.Load()) == broker.Down:
		return fmt.Errorf("%w: the broker cannot be reached", broker.ErrUnavailable)
	}
	opening, cancel := context.WithTimeout(ctx, leadTime)
	defer cancel()
	err := n.runner.Open(opening, name)
	if err != nil && opening.Err() != nil && ctx.Err() == nil && n.runner.Known(name) {
		return nil
	}
	return err
}

// decided tells an error of a broker's Publish that says that nothing was
// recorded from one that leaves it open.
func decided(err error) bool {
	for _, known := range []error{broker.ErrUnavailable, broker.ErrUnknownOutcome, broker.ErrClosed, broker.ErrKeyReused, broker.ErrBadRoom, broker.ErrUnknownProfile} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// notDone is the error of what failed before anything was done.
func notDone(err error) error {
	if errors.Is(err, broker.ErrUnavailable) || errors.Is(err, broker.ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// publishRequest is what a client says to record a message.
type publishRequest struct {
	Room string          `json:"room"`
	Path string          `json:"path"`
	Data json.RawMessage `json:"data"`
	Key  string          `json:"key"`
	Echo *bool           `json:"echo"`
}

// publishAnswer says that it is recorded.
type publishAnswer struct {
	Position  Position `json:"position"`
	Duplicate bool     `json:"duplicate,omitempty"`
}

// publishTimeout bounds how long one publish of a client holds up its next
// messages.
const publishTimeout = 5 * time.Second

// publishByClient handles finch.publish.
func (s *Socket) publishByClient(ctx context.Context, msg *Message) error {
	var in publishRequest
	if err := msg.Decode(&in); err != nil {
		return err
	}
	m := s.manager
	d, err := s.memberOf(in.Room)
	if err != nil {
		return err
	}
	switch err := checkEventPath(in.Path); {
	case protocol.IsFrameworkPath(in.Path):
		return Errorf(protocol.StatusForbidden, protocol.RefusalReservedPath, "only the server sends this path")
	case err != nil:
		return Errorf(protocol.StatusBadRequest, protocol.RefusalBadPath, "%v", err)
	case d.CanPublish == nil:
		return Errorf(protocol.StatusForbidden, protocol.RefusalForbidden, "clients may not publish in this room")
	}
	if in.Data == nil {
		in.Data = json.RawMessage("null")
	}
	if err := s.heldBack(in.Room, in.Key); err != nil {
		return err
	}
	inner := &Message{Path: in.Path, Data: in.Data, Raw: msg.Raw, socket: s}
	if err := d.CanPublish(ctx, s, in.Room, inner); err != nil {
		return err
	}
	rec := record{path: in.Path, status: protocol.StatusOK, data: in.Data}
	from := s.name()
	if in.Echo != nil && !*in.Echo {
		rec.silent = true
		from += senderMark + s.clientID()
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	ack, err := m.publish(ctx, hub.Address{Kind: hub.Room, Name: in.Room}, &rec,
		broker.PublishOptions{Key: in.Key, Publisher: s.publisher(), From: from})
	if err != nil {
		e, _ := forClient(err)
		s.holdBack(in.Room, in.Key, e)
		return err
	}
	return msg.Reply(publishAnswer(ack))
}

// publisher is whose keys the client's are: its user's, so that a phone and a
// laptop may share an outbox, else its own.
func (s *Socket) publisher() string {
	if user := s.User(); user != "" {
		return "u:" + user
	}
	return "c:" + s.clientID()
}

// heldPublish is a publish of a client that failed and may be repeated: what
// the client published to the room after it waits, or the order would be lost.
type heldPublish struct {
	key   string
	until time.Time
}

const (
	// heldFor is how long a failed publish holds back the next: clients give up
	// after that time.
	heldFor = 60 * time.Second
	// maxHeld bounds in how many rooms of one socket.
	maxHeld = 64
)

// heldBack refuses a publish that would overtake one that failed. One without a
// key cannot be repeated and asks for no order.
func (s *Socket) heldBack(room, key string) error {
	if key == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doings()
	if d == nil {
		return nil
	}
	held, ok := d.held[room]
	switch {
	case !ok:
		return nil
	case held.key == key || !time.Now().Before(held.until):
		delete(d.held, room)
		return nil
	}
	return Errorf(protocol.StatusUnavailable, protocol.RefusalHeldBack, "an earlier message to this room failed; repeat that one first")
}

// holdBack remembers a publish that failed for a reason that passes.
func (s *Socket) holdBack(room, key string, e *Error) {
	if key == "" || e.Status != protocol.StatusUnavailable {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.begin()
	if d.held == nil {
		d.held = make(map[string]heldPublish, 1)
	}
	if len(d.held) < maxHeld {
		d.held[room] = heldPublish{key, time.Now().Add(heldFor)}
	}
}
