package finch

import (
	"bytes"
	"context"
	"errors"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// Ask sends a request to the client and waits for its answer, until ctx ends.
// In and Out are encoded and decoded as in [On].
//
// It may be called inside a handler: the answer overtakes the messages that
// wait behind it. An error answer is returned as an [Error]. ErrClosed: the
// socket is gone. ErrInboxFull: the client has sent so much that its answer
// would not be read. An answer that comes too late is dropped.
func Ask[In, Out any](ctx context.Context, s *Socket, path string, in In) (out Out, err error) {
	if err := checkEventPath(path); err != nil {
		return out, err
	}
	id, answered := s.ask()
	defer s.unask(id)
	if err := s.conn.Deaf(); err != nil {
		return out, err
	}
	if err := s.send(protocol.Envelope{Path: path, ID: id, Status: protocol.StatusOK}, in); err != nil {
		return out, err
	}
	select {
	case a := <-answered:
		if a.err != nil {
			return out, a.err
		}
		return decode[Out](&Message{Path: path, Data: a.data, Binary: a.binary})
	case <-ctx.Done():
		return out, ctx.Err()
	}
}

// answer is what came back.
type answer struct {
	data, binary []byte
	err          error
}

// ask begins a question, unask ends it.
func (s *Socket) ask() (protocol.ID, <-chan answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begin().asks.open()
}

func (s *Socket) unask(id protocol.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doings().asks.close(id)
}

// asking tells whether some question waits.
func (s *Socket) asking() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doings()
	return d != nil && len(d.asks.waiting) > 0
}

// settle gives the question that an envelope answers its answer; false if the
// envelope answers none. The envelope's bytes are borrowed.
func (s *Socket) settle(e *protocol.Envelope, binary []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doings()
	return d != nil && d.asks.settle(e, binary)
}

// failAsks ends all questions.
func (s *Socket) failAsks(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.doings(); d != nil {
		d.asks.fail(err)
	}
}

// asks are a socket's questions to its client that wait for an answer. Guarded
// by Socket.mu.
type asks struct {
	last    int64
	waiting map[protocol.ID]chan answer // nil when there are none
}

func (a *asks) open() (protocol.ID, <-chan answer) {
	a.last++
	id := protocol.IntID(a.last)
	if a.waiting == nil {
		a.waiting = make(map[protocol.ID]chan answer, 1)
	}
	ch := make(chan answer, 1)
	a.waiting[id] = ch
	return id, ch
}

func (a *asks) close(id protocol.ID) {
	delete(a.waiting, id)
	if len(a.waiting) == 0 {
		a.waiting = nil
	}
}

func (a *asks) settle(e *protocol.Envelope, binary []byte) bool {
	if e.Reply.IsZero() {
		return false
	}
	ch := a.waiting[e.Reply]
	if ch == nil {
		return false
	}
	delete(a.waiting, e.Reply)
	switch {
	case e.Error != nil:
		ch <- answer{err: &Error{Status: e.Status, Code: e.Error.Code, Message: e.Error.Message}}
	case e.Status >= 400:
		ch <- answer{err: &Error{Status: e.Status, Code: "refused", Message: "the client refused"}}
	default:
		ch <- answer{data: bytes.Clone(e.Data), binary: bytes.Clone(binary)}
	}
	return true
}

func (a *asks) fail(err error) {
	for _, ch := range a.waiting {
		ch <- answer{err: err}
	}
	a.waiting = nil
}

// settleEarly looks for an answer in a message that has just been read.
func (s *Socket) settleEarly(op frame.Opcode, payload []byte) bool {
	if !s.asking() {
		return false
	}
	e, binary, err := s.parse(op, payload)
	var bad *protocol.ParseError
	if errors.As(err, &bad) && !bad.Reply.IsZero() {
		e.Reply, e.Status = bad.Reply, bad.Status
		e.Error = &protocol.Error{Code: bad.Code, Message: "the client's answer is broken: " + bad.Message}
		err = nil
	}
	return err == nil && s.settle(&e, binary)
}
