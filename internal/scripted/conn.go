package scripted

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// patience bounds a write to a client that does not read.
const patience = 5 * time.Second

// A Conn is one client, after its handshake.
type Conn struct {
	// Handshake is how it came; for its token and headers.
	Handshake *Handshake

	nc net.Conn

	writing sync.Mutex // one frame at a time

	mu      sync.Mutex // guards everything below
	unread  []Message
	ended   *CloseError // nil while it is open
	closing bool        // the script's close frame is out
	deaf    bool
	trace   func(fromClient bool, what string)
	pongs   chan string
	arrived chan struct{} // closed and renewed at each arrival
}

// A Message is one that the client sent.
type Message struct {
	protocol.Envelope
	// Text is the whole message if it was text.
	Text string
	// Binary is the data of a binary message, not nil if it was one.
	Binary []byte
	// At is when it arrived.
	At time.Time
}

// String shows the message as a log does.
func (m Message) String() string {
	if m.Binary != nil {
		head := protocol.Append(nil, &m.Envelope)
		return fmt.Sprintf("%s and %d bytes", head, len(m.Binary))
	}
	return m.Text
}

// A CloseError says how the client ended the connection.
type CloseError struct {
	Code   int // as its close frame had it; 1006 if there was none
	Reason string
}

// Error returns code and reason.
func (e *CloseError) Error() string {
	return fmt.Sprintf("the client closed the connection: %d %s", e.Code, e.Reason)
}

func newConn(h *Handshake) *Conn {
	c := &Conn{Handshake: h, nc: h.nc, arrived: make(chan struct{})}
	go c.read(h.in)
	return c
}

// Trace calls f with every message, both ways, as it is read or written.
func (c *Conn) Trace(f func(fromClient bool, what string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trace = f
}

// Deaf makes the connection answer no more pings, of either kind, as if the
// network were cut. What comes is still read.
func (c *Conn) Deaf() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = true
}

// Pongs returns a channel that gets the payload of each pong from now on; those
// beyond what it holds are lost.
func (c *Conn) Pongs() <-chan string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pongs == nil {
		c.pongs = make(chan string, 64)
	}
	return c.pongs
}

// Next waits for the client's next message. finch.ping is answered and not
// returned. The error is a [*CloseError] when the client has ended the
// connection and everything before was taken, else the context's.
func (c *Conn) Next(ctx context.Context) (Message, error) {
	for {
		c.mu.Lock()
		if len(c.unread) > 0 {
			m := c.unread[0]
			c.unread = c.unread[1:]
			c.mu.Unlock()
			return m, nil
		}
		ended, arrived := c.ended, c.arrived
		c.mu.Unlock()
		if ended != nil {
			return Message{}, ended
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return Message{}, context.Cause(ctx)
		}
	}
}

// Closed waits until the client has ended the connection. Messages that came
// before stay for Next.
func (c *Conn) Closed(ctx context.Context) (*CloseError, error) {
	for {
		c.mu.Lock()
		ended, arrived := c.ended, c.arrived
		c.mu.Unlock()
		if ended != nil {
			return ended, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Send sends an envelope as it is; see protocol.Append.
func (c *Conn) Send(e protocol.Envelope) { c.SendText(string(protocol.Append(nil, &e))) }

// SendText sends a text, envelope or not.
func (c *Conn) SendText(text string) {
	c.traced(false, text)
	c.Write(frame.AppendFrame(nil, frame.Text, []byte(text)))
}

// SendBinary sends an envelope with bytes.
func (c *Conn) SendBinary(e protocol.Envelope, payload []byte) {
	c.traced(false, fmt.Sprintf("%s and %d bytes", protocol.Append(nil, &e), len(payload)))
	c.Write(frame.AppendFrame(nil, frame.Binary, protocol.AppendBinary(nil, &e, payload)))
}

// Answer answers a message with an id; data is JSON.
func (c *Conn) Answer(m Message, data string) {
	c.Send(protocol.Envelope{Path: m.Path, Status: protocol.StatusOK, Reply: m.ID, Data: json.RawMessage(data)})
}

// Fail answers a message with an id with an error.
func (c *Conn) Fail(m Message, status int, code string) {
	c.Send(protocol.Envelope{Path: m.Path, Status: status, Reply: m.ID, Error: &protocol.Error{Code: code, Message: "as the script wants it"}})
}

// Write writes bytes as they are. A connection that has ended swallows them.
func (c *Conn) Write(b []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.nc.SetWriteDeadline(time.Now().Add(patience))
	c.nc.Write(b)
}

// Close sends a close frame and ends the connection once the client has
// answered it, or after a while.
func (c *Conn) Close(code int, reason string) {
	c.traced(false, fmt.Sprintf("close %d %s", code, reason))
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.Write(frame.AppendClose(nil, code, reason))
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.Closed(ctx)
		c.Drop()
	}()
}

// Drop ends the connection without a word, as a network does.
func (c *Conn) Drop() {
	c.end(1006, "dropped by the script")
	c.Handshake.server.forget(c.nc)
}

func (c *Conn) traced(fromClient bool, what string) {
	c.mu.Lock()
	trace := c.trace
	c.mu.Unlock()
	if trace != nil {
		trace(fromClient, what)
	}
}

// read ends with the connection.
func (c *Conn) read(in *bufio.Reader) {
	defer c.Handshake.server.forget(c.nc)
	var p frame.Parser
	cfg := &frame.Config{}
	buf := make([]byte, 16<<10)
	for {
		n, err := in.Read(buf)
		for b := buf[:n]; len(b) > 0; {
			ev, used, perr := p.Next(cfg, b)
			b = b[used:]
			if perr != nil {
				c.end(1002, "what came is no WebSocket: "+perr.Error())
				return
			}
			if !c.take(ev) {
				return
			}
		}
		if err != nil {
			c.end(1006, "")
			return
		}
	}
}

// take handles one event of the parser; false ends the reader.
func (c *Conn) take(ev frame.Event) bool {
	switch ev.Opcode {
	case frame.Ping:
		if !c.isDeaf() {
			c.Write(frame.AppendFrame(nil, frame.Pong, ev.Payload))
		}
	case frame.Pong:
		c.mu.Lock()
		pongs := c.pongs
		c.mu.Unlock()
		select {
		case pongs <- string(ev.Payload):
		default:
		}
	case frame.Close:
		c.traced(true, fmt.Sprintf("close %d %s", ev.Code, ev.Reason))
		if c.end(ev.Code, ev.Reason) {
			c.Write(frame.AppendClose(nil, ev.Code, ""))
		}
		return false
	case frame.Text:
		m := Message{Text: string(ev.Payload), At: time.Now()}
		m.Envelope, _ = protocol.Parse([]byte(m.Text), protocol.ParseOptions{})
		c.arrive(m)
	case frame.Binary:
		m := Message{At: time.Now()}
		own := append([]byte{}, ev.Payload...)
		var err error
		if m.Envelope, m.Binary, err = protocol.ParseBinary(own, protocol.ParseOptions{}); err != nil {
			m.Binary = own
		}
		c.arrive(m)
	}
	return true
}

func (c *Conn) isDeaf() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deaf
}

func (c *Conn) arrive(m Message) {
	c.traced(true, m.String())
	if m.Path == protocol.PathPing {
		if !c.isDeaf() {
			c.Answer(m, "null")
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unread = append(c.unread, m)
	c.wake()
}

// end notes how the client ended the connection; it returns whether a close
// frame is still owed.
func (c *Conn) end(code int, reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = &CloseError{Code: code, Reason: reason}
		c.wake()
	}
	return !c.closing
}

// wake is called with mu held.
func (c *Conn) wake() {
	close(c.arrived)
	c.arrived = make(chan struct{})
}
