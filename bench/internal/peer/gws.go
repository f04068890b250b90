package peer

import (
	"net/http"
	"sync"

	"github.com/lxzan/gws"
)

// gwsEcho sends back.
type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes())
}

// gwsAll hands on with the library's own broadcaster.
type gwsAll struct {
	gws.BuiltinEventHandler
	mu      sync.RWMutex
	members map[*gws.Conn]struct{}
}

func (h *gwsAll) OnOpen(c *gws.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[c] = struct{}{}
}

func (h *gwsAll) OnClose(c *gws.Conn, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.members, c)
}

func (h *gwsAll) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (h *gwsAll) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.members {
		_ = b.Broadcast(c)
	}
}

func mountGWS(mux *http.ServeMux) error {
	option := func() *gws.ServerOption {
		return &gws.ServerOption{ReadMaxPayloadSize: maxMessage, CheckUtf8Enabled: true}
	}
	handle := func(path string, events gws.Event) {
		upgrader := gws.NewUpgrader(events, option())
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if c, err := upgrader.Upgrade(w, r); err == nil {
				go c.ReadLoop() // so that the request is not kept
			}
		})
	}
	handle("/echo", gwsEcho{})
	handle("/all", &gwsAll{members: map[*gws.Conn]struct{}{}})
	return nil
}
