package finch

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// socketEvents is the Socket as its connection sees it.
type socketEvents Socket

var _ conn.Waiter = (*socketEvents)(nil)

func (v *socketEvents) socket() *Socket { return (*Socket)(v) }

// Opened runs OnConnect: the manager's first, then the routes'.
func (v *socketEvents) Opened() {
	s := v.socket()
	m := s.manager
	if !s.connect("OnConnect", m.event.OnConnect) {
		return
	}
	for _, e := range m.registry.inOrder() {
		if !s.connect("OnConnect of "+e.path, e.event.OnConnect) {
			return
		}
	}
}

// connect runs one OnConnect; false if it closed the socket.
func (s *Socket) connect(what string, f func(context.Context, *Socket) error) bool {
	if f == nil {
		return true
	}
	err := s.manager.guard(what, func() error { return f(s.Context(), s) })
	if err == nil {
		return true
	}
	e, meant := forClient(err)
	if !meant {
		s.report(s.manager.event.OnError, what, err)
	}
	s.close(closeFor(e), e.Message)
	return false
}

// Early turns down what comes too fast before it costs anything more, and
// lets answers to the server's own requests overtake.
func (v *socketEvents) Early(op frame.Opcode, payload []byte) bool {
	s := v.socket()
	switch s.judge(len(payload)) {
	case farTooFast:
		s.close(protocol.CloseTooFast, "you send too fast")
		return true
	case tooFast:
		e, _, _ := s.parse(op, payload)
		s.refuse(e.Path, e.ID, &Error{protocol.StatusTooManyRequests, protocol.RefusalTooFast, "you send too fast; this message was not handled"})
		return true
	}
	return s.settleEarly(op, payload)
}

// Waits tells whether a compressed message may be an answer.
func (v *socketEvents) Waits() bool { return v.socket().asking() }

// Received is one message, on the executor.
func (v *socketEvents) Received(op frame.Opcode, payload []byte) {
	s := v.socket()
	e, binary, err := s.parse(op, payload)
	switch {
	case err != nil:
		s.unparsed(op, payload, err)
	case !e.Reply.IsZero():
		s.settle(&e, binary) // a late answer answers nothing
	default:
		msg := &Message{Path: e.Path, ID: e.ID.String(), Data: e.Data, Binary: binary, Raw: payload, socket: s, id: e.ID}
		if op == frame.Binary {
			msg.Raw = nil
		}
		s.dispatch(msg)
	}
}

// unparsed handles what is no envelope, and says what is wrong with one.
func (s *Socket) unparsed(op frame.Opcode, payload []byte, err error) {
	var bad *protocol.ParseError
	switch {
	case errors.Is(err, protocol.ErrNotEnvelope) && op == frame.Text:
		s.text(textOf(payload))
	case errors.As(err, &bad):
		s.refuse(bad.Path, bad.ID, &Error{bad.Status, bad.Code, bad.Message})
	default:
		s.refuse("", protocol.ID{}, &Error{protocol.StatusBadRequest, protocol.RefusalBadEnvelope, err.Error()})
	}
}

// Ending lets what was sent leave before the close frame, and explains a
// broken limit in a form that programs can read.
func (v *socketEvents) Ending(why conn.Close, failed bool) {
	s := v.socket()
	if failed && why.Code == protocol.CloseTooBig {
		s.refuse("", protocol.ID{}, &Error{protocol.StatusTooLarge, protocol.RefusalTooLarge,
			fmt.Sprintf("a message may have %d bytes", s.manager.limits.messageBytes())})
	}
	s.flush()
}

// Writable lets the hub go on, and the addresses in which the socket is behind.
func (v *socketEvents) Writable() {
	v.manager.hub.Writable(v.member)
	v.socket().catchUp()
}

// Deaf fails the questions that will not be answered.
func (v *socketEvents) Deaf(err error) { v.socket().failAsks(err) }

// Closing takes the socket out of everything.
func (v *socketEvents) Closing() { v.socket().ended() }

// Closed runs OnDisconnect: the manager's first, then the routes'.
func (v *socketEvents) Closed(why conn.Close) {
	s := v.socket()
	m := s.manager
	reason := closeReason(why)
	s.disconnect("OnDisconnect", m.event.OnDisconnect, reason)
	for _, e := range m.registry.inOrder() {
		s.disconnect("OnDisconnect of "+e.path, e.event.OnDisconnect, reason)
	}
	m.parted(s, reason)
	m.addresses.exit(s.handshake)
	m.census.exit()
}

func (s *Socket) disconnect(what string, f func(context.Context, *Socket, CloseReason), why CloseReason) {
	if f == nil {
		return
	}
	s.manager.guard(what, func() error {
		f(s.manager.alive, s, why)
		return nil
	})
}

// parse reads the envelope of a message.
func (s *Socket) parse(op frame.Opcode, payload []byte) (e protocol.Envelope, binary []byte, err error) {
	o := protocol.ParseOptions{MaxDepth: s.manager.limits.JSONDepth}
	if op == frame.Binary {
		e, binary, err = protocol.ParseBinary(payload, o)
		if err == nil && binary == nil {
			binary = []byte{}
		}
		return e, binary, err
	}
	e, err = protocol.Parse(payload, o)
	return e, nil, err
}

// textOf makes a string of a payload that its owner has kept, without a copy: nobody
// may change the payload any more.
func textOf(payload []byte) string { return unsafe.String(unsafe.SliceData(payload), len(payload)) }

// text handles a text that is no envelope.
func (s *Socket) text(text string) {
	m := s.manager
	if m.event.OnText == nil {
		s.refuse("", protocol.ID{}, &Error{protocol.StatusBadRequest, protocol.RefusalBadEnvelope,
			`a message is a JSON object with a path, such as {"path":"chat","data":"hello"}`})
		return
	}
	err := m.guard("OnText", func() error { return m.event.OnText(s.Context(), s, text) })
	s.handled("OnText", nil, m.event.OnError, err)
}

// dispatch finds the handler of a message and answers what is owed.
func (s *Socket) dispatch(msg *Message) {
	m := s.manager
	if protocol.IsFrameworkPath(msg.Path) {
		s.framework(msg)
		return
	}
	on, onError := m.event.OnMessage, m.event.OnError
	if e := m.registry.lookup(msg.Path); e != nil && e.event.OnMessage != nil {
		on = e.event.OnMessage
		if e.event.OnError != nil {
			onError = e.event.OnError
		}
	}
	if on == nil {
		s.refuse(msg.Path, msg.id, &Error{protocol.StatusNotFound, protocol.RefusalUnknownPath, "nothing here handles this path"})
		return
	}
	s.run(msg, on, onError)
}

// run runs a handler behind the middleware and answers what is owed.
func (s *Socket) run(msg *Message, on MessageHandler, onError func(context.Context, *Socket, error)) {
	m := s.manager
	err := m.guard(msg.Path, func() error { return m.wrapped(on)(s.Context(), s, msg) })
	s.handled(msg.Path, msg, onError, err)
}

// handled settles what a handler returned: the answer that is owed, the
// report of an error, the end of the socket after a panic.
func (s *Socket) handled(what string, msg *Message, onError func(context.Context, *Socket, error), err error) {
	if err == nil {
		if msg != nil {
			msg.Reply(nil)
		}
		return
	}
	e, meant := forClient(err)
	answered := msg != nil && msg.fail(e)
	var panicked *panicError
	if errors.As(err, &panicked) {
		s.close(protocol.CloseInternal, "something went wrong on the server")
	}
	if !meant || !answered {
		s.report(onError, what, err)
	}
}

// report gives an error to OnError, or to the log if nobody wants it. The log
// has the stack of a panic already.
func (s *Socket) report(onError func(context.Context, *Socket, error), what string, err error) {
	if onError != nil {
		s.manager.guard("OnError", func() error {
			onError(s.Context(), s, err)
			return nil
		})
		return
	}
	var panicked *panicError
	if !errors.As(err, &panicked) && !errors.Is(err, ErrClosed) {
		s.manager.logger.Error("finch: a handler failed", "path", what, "socket", s.ID(), "user", s.User(), "error", err)
	}
}

// refuse answers a message that the framework itself turns down: with its id
// if it has one, else on finch.error, as often as is useful to a person who
// is trying things out.
func (s *Socket) refuse(path string, id protocol.ID, e *Error) {
	env := protocol.Envelope{Path: path, Reply: id, Status: e.Status, Error: &protocol.Error{Code: e.Code, Message: e.Message}}
	if id.IsZero() || path == "" {
		if id.IsZero() && !s.mayExplain() {
			return
		}
		env.Path = protocol.PathError
		if path != "" {
			s.send(env, map[string]string{"path": path})
			return
		}
	}
	s.send(env, nil)
}
