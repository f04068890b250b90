package finch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// Socket is one connection to a [SocketManager]. Its methods may be called by
// any goroutine and do not block; after the end they do nothing and say so.
type Socket struct {
	manager   *SocketManager
	conn      *conn.Conn
	member    *hub.Member
	handshake *Handshake

	mu      sync.Mutex // guards everything below
	speed   speed
	more    *socketExtras // nil while there are none
	closing bool
}

// socketExtras is what a socket at rest may have. Guarded by Socket.mu.
type socketExtras struct {
	values  map[string]any
	expiry  *time.Timer
	session *Session // once the client has said hello
	granted []string // rooms that the server joined it to
	seats   []seat   // rooms whose presence shows it
	doings  *doings  // nil while there are none
}

// doings are what goes on with a socket. Guarded by Socket.mu.
type doings struct {
	rooms  []string        // that it was in when it ended
	ctx    context.Context // made on first use
	cancel context.CancelFunc
	asks   asks

	attending map[hub.Address]*attendance // ways into addresses, not answered yet
	lagging   map[hub.Address]lag         // where it fell behind
	held      map[string]heldPublish      // by room
}

// blank tells whether there is nothing in them.
func (x *socketExtras) blank() bool {
	return x.values == nil && x.expiry == nil && x.session == nil && x.granted == nil && x.seats == nil && x.doings == nil
}

func (d *doings) blank() bool {
	return d.rooms == nil && d.ctx == nil && d.asks.last == 0 && d.attending == nil && d.lagging == nil && d.held == nil
}

// extras makes the extras. Called with mu held.
func (s *Socket) extras() *socketExtras {
	if s.more == nil {
		s.more = new(socketExtras)
	}
	return s.more
}

// doings answers what goes on, nil for nothing; begin makes room for something.
// Called with mu held.
func (s *Socket) doings() *doings {
	if s.more == nil {
		return nil
	}
	return s.more.doings
}

func (s *Socket) begin() *doings {
	x := s.extras()
	if x.doings == nil {
		x.doings = new(doings)
	}
	return x.doings
}

// ID returns the socket's id: chosen by the server, unique, safe to show to
// others. It proves nothing.
func (s *Socket) ID() string { return s.member.ID }

// User returns whom authentication found behind the socket; empty if nobody
// in particular.
func (s *Socket) User() string { return s.member.User }

// Request returns what is kept of the request that opened the socket.
func (s *Socket) Request() *Handshake { return s.handshake }

// Manager returns the manager that the socket is connected to.
func (s *Socket) Manager() *SocketManager { return s.manager }

// Context returns a context that ends with the connection: at once when the
// server closes it, and behind the messages that had arrived when the client
// does. A handler that is running when the client goes away has five seconds
// more before its context ends.
func (s *Socket) Context() context.Context { return socketContext{s} }

// Get returns a value that Set stored or that [Identity].Values brought; nil
// if there is none.
func (s *Socket) Get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		return nil
	}
	return s.more.values[key]
}

// Set stores a value with the socket, for its handlers to share.
func (s *Socket) Set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extras()
	if x.values == nil {
		x.values = make(map[string]any, 1)
	}
	x.values[key] = value
}

// Send sends an event to this socket: data is encoded as JSON, or travels as
// the bytes of a binary frame if it is a []byte. It never blocks; the message
// leaves at most once, behind those sent before.
//
// ErrClosed: the socket is gone. ErrSlow: its queue was full and it is being
// closed. ErrTooLarge: the message could never fit. Other errors: the path
// cannot be one, or data cannot be encoded.
func (s *Socket) Send(path string, data any, opts ...SendOption) error {
	if err := checkEventPath(path); err != nil {
		return err
	}
	o := sendOptions(opts)
	if o.except == s {
		return nil
	}
	return s.send(protocol.Envelope{Path: path, Status: o.status}, data)
}

// SendText sends bare text, with no envelope around it.
func (s *Socket) SendText(text string) error {
	return s.sendFrame(frame.AppendText(nil, text))
}

// send completes an envelope for this socket alone.
func (s *Socket) send(e protocol.Envelope, data any) error {
	b, err := s.frame(e, data)
	if err != nil {
		return err
	}
	return s.sendFrame(b)
}

// frame makes the frame of an envelope for this socket alone.
func (s *Socket) frame(e protocol.Envelope, data any) ([]byte, error) {
	e.Client = s.member.ID
	e.Language = s.handshake.language
	return encode(e, data)
}

func (s *Socket) sendFrame(b []byte) error {
	if len(b) > s.manager.gate.config.QueueBytes {
		return ErrTooLarge
	}
	switch s.manager.hub.SendTo(s.member, s.rendered(b)) {
	case nil:
		return nil
	case hub.ErrSlow:
		return ErrSlow
	}
	return ErrClosed
}

// flush hands everything that was sent so far to the connection.
func (s *Socket) flush() {
	s.conn.Finish(s.manager.hub.Finish(s.member))
}

// close closes behind everything that was sent so far.
func (s *Socket) close(code int, reason string) error {
	s.flush()
	return s.conn.Close(code, reason)
}

// Rooms returns the rooms that the socket is in, in no order; in OnDisconnect
// and after, those that it was in at the end.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		return s.manager.hub.Rooms(s.member)
	}
	if d := s.doings(); d != nil {
		return slices.Clone(d.rooms)
	}
	return nil
}

// Close ends the connection: what was sent before leaves, then the close
// frame; OnDisconnect runs once. Code 0 means 1000; a code that must not
// travel (RFC 6455 section 7.4) is refused with an error. ErrClosed is
// returned if the socket was closing already.
func (s *Socket) Close(code int, reason string) error {
	code, err := closeCode(code)
	if err != nil {
		return err
	}
	return s.close(code, reason)
}

// closeCode checks what a user wants to close with.
func closeCode(code int) (int, error) {
	if code == 0 {
		code = protocol.CloseNormal
	}
	if !frame.ValidCloseCode(code) {
		return 0, fmt.Errorf("finch: %d cannot be sent as a close code; use 1000 or one from 4000 to 4999", code)
	}
	return code, nil
}

// expireAt plans the end of the socket's proof of identity; zero cancels.
func (s *Socket) expireAt(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more != nil && s.more.expiry != nil {
		s.more.expiry.Stop()
		s.more.expiry = nil
	}
	if !t.IsZero() && !s.closing {
		s.extras().expiry = time.AfterFunc(time.Until(t), func() {
			s.close(protocol.CloseUnauthorized, "the token has expired")
		})
	}
}

// ended is called once when the socket stops being one.
func (s *Socket) ended() {
	rooms := s.manager.hub.Rooms(s.member)
	s.mu.Lock()
	s.closing = true
	if len(rooms) > 0 {
		s.begin().rooms = rooms
	}
	if s.more != nil && s.more.expiry != nil {
		s.more.expiry.Stop()
	}
	if d := s.doings(); d != nil {
		if d.cancel != nil {
			d.cancel()
		}
		d.asks.fail(ErrClosed)
		if len(d.attending) > 0 {
			go s.giveUp(d.attending) // not from here: a feed may be what calls
			d.attending = nil
		}
	}
	s.mu.Unlock()
	s.manager.hub.Remove(s.member)
	s.noteShares(rooms)
}

// socketContext is the context of a socket. The real one is made when
// somebody wants to wait for it: most handlers never do.
type socketContext struct{ s *Socket }

func (c socketContext) real() context.Context {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.begin()
	if d.ctx == nil {
		d.ctx, d.cancel = context.WithCancel(context.Background())
		if s.closing {
			d.cancel()
		}
	}
	return d.ctx
}

func (c socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c socketContext) Done() <-chan struct{}       { return c.real().Done() }
func (c socketContext) Value(key any) any           { return c.real().Value(key) }
func (c socketContext) String() string              { return "finch.Socket(" + c.s.ID() + ").Context" }

func (c socketContext) Err() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.closing {
		return context.Canceled
	}
	return nil
}

// socketSink is the Socket as the hub sees it.
type socketSink Socket

func (sink *socketSink) Push(pieces [][]byte) bool { return sink.conn.Push(pieces) }

func (sink *socketSink) Overflow() {
	sink.manager.meter.Slow.Add(1)
	sink.conn.Close(protocol.CloseTryAgain, "you read too slowly")
}

// socketOf answers whose member it is.
func socketOf(m *hub.Member) *Socket { return (*Socket)(m.Sink.(*socketSink)) }
