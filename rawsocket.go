package finch

import (
	"context"
	"net/http"
	"sync"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// RawSocket is what [Route].WS gets: a WebSocket with no envelope around its
// messages. It is not a client of the [SocketManager] and is not counted.
//
// WS sets the callbacks and may send; no message is read before it has
// returned. The callbacks of one RawSocket run one at a time; its methods may
// be called by any goroutine and do not block.
type RawSocket struct {
	app       *App
	conn      *conn.Conn
	handshake *Handshake
	serve     func(ws *RawSocket)
	rendition hub.Rendition

	mu       sync.Mutex // guards everything below
	onText   func(text string)
	onBinary func(b []byte)
	onClose  func(why CloseReason)
	ctx      context.Context
	cancel   context.CancelFunc
	closing  bool
}

// OnMessage sets what handles texts. A socket that only handles texts is
// closed with 1003 when bytes come, and the other way round.
func (ws *RawSocket) OnMessage(f func(text string)) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.onText = f
}

// OnBinary sets what handles binary messages. The bytes belong to f.
func (ws *RawSocket) OnBinary(f func(b []byte)) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.onBinary = f
}

// OnClose sets what runs once when the socket has ended, after the last
// message was handled.
func (ws *RawSocket) OnClose(f func(why CloseReason)) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.onClose = f
}

// Send sends a text. Errors are those of [Socket.Send].
func (ws *RawSocket) Send(text string) error {
	return ws.sendFrame(frame.AppendText(nil, text))
}

// SendBinary sends bytes; they are copied.
func (ws *RawSocket) SendBinary(b []byte) error {
	return ws.sendFrame(frame.AppendFrame(nil, frame.Binary, b))
}

func (ws *RawSocket) sendFrame(b []byte) error {
	return ws.conn.Send(ws.app.gate.compression.rendered(ws.rendition, b))
}

// Close ends the connection; see [Socket.Close].
func (ws *RawSocket) Close(code int, reason string) error {
	code, err := closeCode(code)
	if err != nil {
		return err
	}
	return ws.conn.Close(code, reason)
}

// Request returns what is kept of the request that opened the socket.
func (ws *RawSocket) Request() *Handshake { return ws.handshake }

// Context returns a context that ends with the connection.
func (ws *RawSocket) Context() context.Context {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.ctx == nil {
		ws.ctx, ws.cancel = context.WithCancel(context.Background())
		if ws.closing {
			ws.cancel()
		}
	}
	return ws.ctx
}

// upgradeRaw makes a raw socket of the request, or answers why not.
func (a *App) upgradeRaw(w http.ResponseWriter, r *http.Request, serve func(ws *RawSocket)) {
	if e := a.gate.check(r); e != nil {
		refuse(w, e)
		return
	}
	if !a.raw.enter() {
		refuse(w, shuttingDown)
		return
	}
	extensions, rendition := a.gate.compression.agree(r)
	h, err := hijack(w, r, "", extensions)
	if err != nil {
		a.raw.exit()
		a.logger.Error("finch: upgrade failed", "error", err)
		refuse(w, &Error{http.StatusInternalServerError, "no_hijack", "The server cannot upgrade this connection; its log says why."})
		return
	}
	ws := &RawSocket{app: a, handshake: newHandshake(r, nil, a.gate.trusted), serve: serve, rendition: rendition}
	ws.conn = a.gate.connect(h, rendition, (*rawEvents)(ws))
	a.rawConns.Store(ws.conn, nil)
	ws.conn.Start(h.early)
	if a.raw.isClosing() { // and may have looked before the socket was there
		ws.conn.Drain(protocol.CloseGoingAway, "the server is shutting down")
	}
}

// rawEvents is the RawSocket as its connection sees it.
type rawEvents RawSocket

var _ conn.Events = (*rawEvents)(nil)

// guard runs a callback; a panic costs the socket.
func (ws *RawSocket) guard(what string, f func()) {
	err := ws.app.guard(what, func() error { f(); return nil })
	if err != nil {
		ws.conn.Close(protocol.CloseInternal, "something went wrong on the server")
	}
}

func (v *rawEvents) Opened() {
	ws := (*RawSocket)(v)
	ws.guard("WS", func() { ws.serve(ws) })
}

func (v *rawEvents) Early(frame.Opcode, []byte) bool { return false }

func (v *rawEvents) Received(op frame.Opcode, payload []byte) {
	ws := (*RawSocket)(v)
	ws.mu.Lock()
	onText, onBinary := ws.onText, ws.onBinary
	ws.mu.Unlock()
	switch {
	case op == frame.Text && onText != nil:
		ws.guard("OnMessage", func() { onText(textOf(payload)) })
	case op == frame.Binary && onBinary != nil:
		ws.guard("OnBinary", func() { onBinary(payload) })
	case op == frame.Binary && onText != nil:
		ws.conn.Close(protocol.CloseUnsupportedData, "this address takes text")
	case op == frame.Text && onBinary != nil:
		ws.conn.Close(protocol.CloseUnsupportedData, "this address takes bytes")
	}
}

func (v *rawEvents) Ending(conn.Close, bool) {}

func (v *rawEvents) Writable() {}

func (v *rawEvents) Deaf(error) {}

func (v *rawEvents) Closing() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closing = true
	if v.cancel != nil {
		v.cancel()
	}
}

func (v *rawEvents) Closed(why conn.Close) {
	ws := (*RawSocket)(v)
	ws.mu.Lock()
	onClose := ws.onClose
	ws.mu.Unlock()
	if onClose != nil {
		ws.guard("OnClose", func() { onClose(closeReason(why)) })
	}
	ws.app.rawConns.Delete(ws.conn)
	ws.app.raw.exit()
}
