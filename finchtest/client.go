package finchtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// Patience is how long Expect waits. Inside synctest it costs no time.
const Patience = 5 * time.Second

// quiet is how long ExpectNothing listens outside synctest, where it can only
// guess.
const quiet = 50 * time.Millisecond

// Client is one connection of a test. Its methods fail the test when
// something is not as expected, so they belong on the test's own goroutine.
type Client struct {
	t    testing.TB
	dial func() net.Conn

	request *http.Request // of the handshake

	writing sync.Mutex // one frame at a time

	mu       sync.Mutex // guards everything below
	nc       net.Conn   // the connection of now
	standing standing
	unread   []Received
	all      []Received
	answers  map[protocol.ID]chan protocol.Envelope
	handlers map[string]func(data json.RawMessage) (any, error)
	lastID   int64
	arrived  chan struct{} // closed and renewed at each arrival
	flow     chan struct{} // not nil while the client does not read; closed when it does again
	ended    bool
	code     int
	reason   string
}

// Received is one message that the client got.
type Received struct {
	protocol.Envelope
	// Binary is the data of a binary frame, else nil.
	Binary []byte
	// Text is the whole message, if it was text.
	Text string
}

func (r Received) String() string {
	if r.Binary != nil {
		return fmt.Sprintf("%s with %d bytes", r.Path, len(r.Binary))
	}
	return r.Text
}

func newClient(t testing.TB, r *http.Request, dial func() net.Conn) *Client {
	c := &Client{t: t, request: r, dial: dial, arrived: make(chan struct{})}
	c.nc = dial()
	go c.read(c.nc)
	return c
}

// Send sends an event; a []byte travels as a binary frame.
func (c *Client) Send(path string, data any) {
	c.t.Helper()
	c.sendEnvelope(protocol.Envelope{Path: path}, data)
}

// SendText sends a text as it is, envelope or not.
func (c *Client) SendText(text string) {
	c.t.Helper()
	c.write(frame.AppendMasked(nil, frame.Text, []byte(text), mask))
}

// Write sends bytes as they are, for frames that no client should send.
func (c *Client) Write(b []byte) {
	c.t.Helper()
	c.write(b)
}

// Answer makes the client answer the server's requests on a path.
func (c *Client) Answer(path string, f func(data json.RawMessage) (any, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handlers == nil {
		c.handlers = make(map[string]func(json.RawMessage) (any, error))
	}
	c.handlers[path] = f
}

// Request sends an event with an id and waits for its answer; an answer that
// is an error is returned as a [*finch.Error].
func Request[Out any](c *Client, path string, data any) (out Out, err error) {
	c.t.Helper()
	id, answered := c.question()
	c.sendEnvelope(protocol.Envelope{Path: path, ID: id}, data)
	select {
	case e := <-answered:
		if e.Error != nil {
			return out, &finch.Error{Status: e.Status, Code: e.Error.Code, Message: e.Error.Message}
		}
		return out, json.Unmarshal(e.Data, &out)
	case <-time.After(Patience):
		c.t.Fatalf("finchtest: no answer on %q; %s", path, c.story())
	}
	return out, err
}

// Expect waits for the next unread message on path, decodes its data into
// into unless that is nil, and returns it. Messages on other paths stay
// unread. If none comes the test fails with everything received so far.
func (c *Client) Expect(path string, into any) Received {
	c.t.Helper()
	r, ok := c.await(func(r Received) bool { return r.Path == path })
	if !ok {
		c.t.Fatalf("finchtest: nothing came on %q; %s", path, c.story())
	}
	if into != nil {
		if err := json.Unmarshal(r.Data, into); err != nil {
			c.t.Fatalf("finchtest: %s does not fit %T: %v", r, into, err)
		}
	}
	return r
}

// ExpectText waits for exactly this text, which need not be an envelope.
func (c *Client) ExpectText(text string) {
	c.t.Helper()
	if _, ok := c.await(func(r Received) bool { return r.Text == text }); !ok {
		c.t.Fatalf("finchtest: the text %q did not come; %s", text, c.story())
	}
}

// ExpectNothing fails the test if any message is unread when everything has
// come to rest.
func (c *Client) ExpectNothing() {
	c.t.Helper()
	settle()
	c.mu.Lock()
	n := len(c.unread)
	c.mu.Unlock()
	if n > 0 {
		c.t.Fatalf("finchtest: expected nothing, but %s", c.story())
	}
}

// Skip forgets the messages that are unread when everything has come to rest.
func (c *Client) Skip() {
	settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unread = nil
}

// ExpectClose waits until the server has closed the connection, and returns
// its close code: 1006 if it ended without one.
func (c *Client) ExpectClose() (code int, reason string) {
	c.t.Helper()
	deadline := time.After(Patience)
	for {
		c.mu.Lock()
		ended, arrived := c.ended, c.arrived
		code, reason = c.code, c.reason
		c.mu.Unlock()
		if ended {
			return code, reason
		}
		select {
		case <-arrived:
		case <-deadline:
			c.t.Fatalf("finchtest: the connection is still open; %s", c.story())
		}
	}
}

// Stall makes the client stop reading, as one does that is too slow, or read
// again. What the server sends meanwhile waits on its side.
func (c *Client) Stall(stop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case stop && c.flow == nil:
		c.flow = make(chan struct{})
	case !stop && c.flow != nil:
		close(c.flow)
		c.flow = nil
	}
}

func (c *Client) waitForFlow() {
	c.mu.Lock()
	flow := c.flow
	c.mu.Unlock()
	if flow != nil {
		<-flow
	}
}

// Ended tells whether the connection has ended.
func (c *Client) Ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Close says goodbye as a browser does, and waits for the server's goodbye.
func (c *Client) Close(code int, reason string) {
	c.t.Helper()
	c.write(frame.AppendMasked(nil, frame.Close, frame.AppendClosePayload(nil, code, reason), mask))
	c.ExpectClose()
}

// Drop ends the connection without a word, as a network does. [Client.Resume]
// brings the client back.
func (c *Client) Drop() { c.connection().Close() }

func (c *Client) connection() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nc
}

// mask is a masking key; what it is does not matter in memory.
var mask = [4]byte{0x12, 0x34, 0x56, 0x78}

func (c *Client) sendEnvelope(e protocol.Envelope, data any) {
	c.t.Helper()
	if b, ok := data.([]byte); ok {
		c.write(frame.AppendMasked(nil, frame.Binary, protocol.AppendBinary(nil, &e, b), mask))
		return
	}
	raw, err := protocol.Marshal(data)
	if err != nil {
		c.t.Fatalf("finchtest: %v", err)
	}
	e.Data = raw
	c.write(frame.AppendMasked(nil, frame.Text, protocol.Append(nil, &e), mask))
}

// write writes one frame; a connection that has ended swallows it, as a
// network does.
func (c *Client) write(b []byte) { c.writeTo(c.connection(), b) }

func (c *Client) writeTo(nc net.Conn, b []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	nc.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := nc.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Errorf("finchtest: the server does not read: %v", err)
	}
}

func (c *Client) question() (protocol.ID, <-chan protocol.Envelope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	id := protocol.IntID(c.lastID)
	if c.answers == nil {
		c.answers = make(map[protocol.ID]chan protocol.Envelope)
	}
	ch := make(chan protocol.Envelope, 1)
	c.answers[id] = ch
	return id, ch
}

// await takes the first unread message that fits.
func (c *Client) await(fits func(Received) bool) (Received, bool) {
	deadline := time.After(Patience)
	for {
		c.mu.Lock()
		for i, r := range c.unread {
			if fits(r) {
				c.unread = append(c.unread[:i:i], c.unread[i+1:]...)
				c.mu.Unlock()
				return r, true
			}
		}
		ended, arrived := c.ended, c.arrived
		c.mu.Unlock()
		if ended {
			return Received{}, false
		}
		select {
		case <-arrived:
		case <-deadline:
			return Received{}, false
		}
	}
}

// story tells what has come, for a failure's message.
func (c *Client) story() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	if len(c.all) == 0 {
		b.WriteString("nothing has come at all")
	} else {
		fmt.Fprintf(&b, "%d messages have come, %d of them unread:", len(c.all), len(c.unread))
		for _, r := range c.all {
			b.WriteString("\n\t" + r.String())
		}
	}
	if c.ended {
		fmt.Fprintf(&b, "\n\tthen the connection ended: %d %s", c.code, c.reason)
	}
	return b.String()
}

// settle waits until nothing moves any more.
func settle() {
	if !quiesced() {
		time.Sleep(quiet)
	}
}

// quiesced waits until every goroutine of a synctest bubble waits; false
// outside of one.
func quiesced() (ok bool) {
	defer func() { ok = recover() == nil }()
	synctest.Wait()
	return true
}

// farewell is longer than a server waits for a handler whose client is gone.
const farewell = 15 * time.Second

// leave ends the connection with the test. A bubble cannot end before the
// server's goroutines have: a handler that waits for its context is given the
// time, which costs none.
func (c *Client) leave() {
	c.Drop()
	c.Stall(false)
	if quiesced() {
		time.Sleep(farewell)
	}
}

// read is the client's reader: it ends with the connection.
func (c *Client) read(nc net.Conn) {
	defer nc.Close()
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		c.end(nc, 1006, "no handshake")
		return
	}
	var p frame.Parser
	cfg := &frame.Config{Client: true}
	buf := make([]byte, 4096)
	for {
		c.waitForFlow()
		n, err := br.Read(buf)
		for b := buf[:n]; len(b) > 0; {
			ev, used, perr := p.Next(cfg, b)
			b = b[used:]
			if perr != nil {
				c.end(nc, 1002, perr.Error())
				return
			}
			if !c.take(nc, ev) {
				return
			}
		}
		if err != nil {
			c.end(nc, 1006, err.Error())
			return
		}
	}
}

// take handles one event of the parser; false ends the reader.
func (c *Client) take(nc net.Conn, ev frame.Event) bool {
	switch ev.Opcode {
	case frame.Ping:
		c.writeTo(nc, frame.AppendMasked(nil, frame.Pong, ev.Payload, mask))
	case frame.Close:
		c.end(nc, ev.Code, ev.Reason)
		c.writeTo(nc, frame.AppendMasked(nil, frame.Close, frame.AppendClosePayload(nil, ev.Code, ""), mask))
		return false
	case frame.Text:
		r := Received{Text: string(ev.Payload)}
		r.Envelope, _ = protocol.Parse([]byte(r.Text), protocol.ParseOptions{})
		c.message(nc, r)
	case frame.Binary:
		var r Received
		own := append([]byte{}, ev.Payload...)
		var err error
		if r.Envelope, r.Binary, err = protocol.ParseBinary(own, protocol.ParseOptions{}); err != nil {
			r.Binary = own
		}
		c.message(nc, r)
	}
	return true
}

func (c *Client) message(nc net.Conn, r Received) {
	c.mu.Lock()
	if c.nc != nc { // of a connection that Resume has replaced
		c.mu.Unlock()
		return
	}
	if !c.standing.follow(&r.Envelope) {
		c.mu.Unlock()
		return // it comes again when the room is resumed
	}
	if ch := c.answers[r.Reply]; ch != nil && !r.Reply.IsZero() {
		delete(c.answers, r.Reply)
		c.all = append(c.all, r)
		c.mu.Unlock()
		ch <- r.Envelope
		return
	}
	handler := c.handlers[r.Path]
	c.all = append(c.all, r)
	if handler == nil || r.ID.IsZero() {
		c.unread = append(c.unread, r)
		close(c.arrived)
		c.arrived = make(chan struct{})
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	e := protocol.Envelope{Path: r.Path, Reply: r.ID, Status: protocol.StatusOK}
	data, err := handler(r.Data)
	if err != nil {
		e.Status, e.Error = protocol.StatusInternalServerError, &protocol.Error{Code: "failed", Message: err.Error()}
		var fe *finch.Error
		if errors.As(err, &fe) {
			e.Status, e.Error = fe.Status, &protocol.Error{Code: fe.Code, Message: fe.Message}
		}
	}
	c.sendEnvelope(e, data)
}

func (c *Client) end(nc net.Conn, code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.nc != nc {
		return
	}
	c.ended, c.code, c.reason = true, code, reason
	close(c.arrived)
	c.arrived = make(chan struct{})
}
