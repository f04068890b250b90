package finch

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// Room is an address that can be sent to: a room, a user, or everyone. It is
// a value that costs nothing to make, and its methods may be called by any
// goroutine.
type Room struct {
	manager *SocketManager
	at      hub.Address
}

// Name returns the room's name or the user's id; empty for everyone.
func (r Room) Name() string { return r.at.Name }

// Send sends an event to every socket that is at the address now: at most
// once, in one order for all of them, and without waiting for any. data is
// encoded once for all: as JSON, or as the bytes of a binary frame if it is a
// []byte. Nobody there is no error, and neither is a socket that is too slow:
// it is closed, and [Stats] counts it.
//
// An error means that nothing was sent: the path or the room's name cannot be
// one, data cannot be encoded, or ErrTooLarge, for this node or for the broker
// that carries it to the others. Only ErrUnavailable says that it went to the
// sockets of this node and not to those of others.
func (r Room) Send(path string, data any, opts ...SendOption) error {
	if err := checkEventPath(path); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	o := sendOptions(opts)
	e := protocol.Envelope{Path: path, Status: o.status}
	if r.at.Kind == hub.Room {
		e.Room = r.at.Name
	}
	b, err := encode(e, data)
	if err != nil {
		return err
	}
	if len(b) > r.manager.gate.config.QueueBytes {
		return ErrTooLarge
	}
	var except *hub.Member
	if o.except != nil {
		except = o.except.member
	}
	m := r.manager
	msg := m.gate.compression.message(b)
	msg.Key = o.replaces
	if m.node.caps.Cluster && len(b) > m.node.broker.Caps().MaxPayload-newsRoom {
		return ErrTooLarge // for the other nodes, so for all
	}
	m.hub.Send(r.at, msg, except)
	if !m.node.caps.Cluster {
		return nil
	}
	n := news{kind: newsFrame, replace: o.replaces, body: b}
	if o.except != nil {
		n.except = o.except.clientID()
	}
	return m.node.broadcast(r.at, &n)
}

// Close ends a room: its members are taken out, on every node, and told so by
// finch.left; its history is forgotten. Whoever enters or publishes afterwards
// begins a new one. Closing a user or everyone only forgets their history.
// ErrUnavailable is returned if the broker cannot be reached; then members of
// this node have left all the same.
func (r Room) Close(ctx context.Context) error {
	if err := r.check(); err != nil {
		return err
	}
	m := r.manager
	var told error
	if r.at.Kind == hub.Room {
		m.emptyRoom(r.at)
		if m.node.caps.Cluster {
			told = m.node.broadcast(r.at, &news{kind: newsCloseAll})
		}
	}
	if !m.node.started.Load() && !m.node.caps.Cluster {
		return nil // nothing was ever recorded
	}
	if err := m.node.ready(ctx); err != nil {
		return err
	}
	return errors.Join(told, m.node.broker.Purge(ctx, storeName(r.at)))
}

// Count returns how many sockets are at the address, on all nodes together; what
// came or went on another node is counted a moment later. On one node it does
// not block; else it asks the broker, and ErrUnavailable is returned if that
// cannot be reached.
func (r Room) Count(ctx context.Context) (int, error) {
	_, elsewhere, err := r.manager.node.elsewhere(ctx, r.at)
	if err != nil {
		return 0, err
	}
	return r.manager.hub.Count(r.at) + elsewhere, ctx.Err()
}

// Sockets returns the sockets that are at the address, on this node, when it
// is called; some may be gone when they are reached.
func (r Room) Sockets() iter.Seq[*Socket] {
	members := r.manager.hub.Members(r.at)
	return func(yield func(*Socket) bool) {
		for _, m := range members {
			if !yield(socketOf(m)) {
				return
			}
		}
	}
}

// CloseSockets closes every socket at the address, as [Socket.Close] does, on
// every node, and returns how many of this node it closed. With
// User(id).CloseSockets a user is gone everywhere.
func (r Room) CloseSockets(code int, reason string) (closed int) {
	m := r.manager
	if m.node.caps.Cluster {
		n := news{kind: newsCloseSockets, body: binary.AppendUvarint(nil, uint64(code))}
		n.body = append(n.body, reason...)
		if err := m.node.broadcast(r.at, &n); err != nil {
			m.logger.Error("finch: sockets on other nodes are not closed", "address", storeName(r.at), "error", err)
		}
	}
	return r.closeHere(code, reason)
}

func (r Room) closeHere(code int, reason string) (closed int) {
	for s := range r.Sockets() {
		if s.Close(code, reason) == nil {
			closed++
		}
	}
	return closed
}

func (r Room) check() error {
	if r.at.Kind == hub.Room {
		return checkRoomName(r.at.Name)
	}
	return nil
}

// maxRoomName bounds a room's name in bytes.
const maxRoomName = 256

func checkRoomName(name string) error {
	if name == "" || len(name) > maxRoomName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return Errorf(protocol.StatusUnprocessable, protocol.RefusalBadRoom,
			"a room's name is 1 to %d bytes of UTF-8 without control characters", maxRoomName)
	}
	return nil
}
