package peer

import (
	"context"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// coderMember has a queue of its own, because Write blocks.
type coderMember struct{ send chan coderMessage }

type coderMessage struct {
	kind websocket.MessageType
	b    []byte
}

type coderHub struct {
	mu      sync.Mutex
	members map[*coderMember]struct{}
}

func coderAccept(w http.ResponseWriter, r *http.Request) *websocket.Conn {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	c.SetReadLimit(maxMessage)
	return c
}

func (h *coderHub) serve(w http.ResponseWriter, r *http.Request) {
	c := coderAccept(w, r)
	if c == nil {
		return
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	m := &coderMember{make(chan coderMessage, sendQueue)}
	h.mu.Lock()
	h.members[m] = struct{}{}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.members, m)
		h.mu.Unlock()
		cancel()
	}()
	go func() {
		defer cancel()
		for {
			select {
			case msg := <-m.send:
				if c.Write(ctx, msg.kind, msg.b) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		h.all(coderMessage{kind, b})
	}
}

func (h *coderHub) all(msg coderMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for m := range h.members {
		select {
		case m.send <- msg:
		default: // too slow: it misses this one, and the load will say so
		}
	}
}

func mountCoder(mux *http.ServeMux) error {
	hub := &coderHub{members: map[*coderMember]struct{}{}}
	mux.HandleFunc("/all", hub.serve)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c := coderAccept(w, r)
		if c == nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, b) != nil {
				return
			}
		}
	})
	return nil
}
