package peer

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Times of the library's chat example.
const (
	gorillaWriteWait = 10 * time.Second
	gorillaPongWait  = 60 * time.Second
	gorillaPingEvery = gorillaPongWait * 9 / 10
)

var gorillaUpgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, CheckOrigin: anyOrigin}

// gorillaHub is one goroutine that knows everyone.
type gorillaHub struct {
	enter, exit chan *gorillaMember
	all         chan *websocket.PreparedMessage
}

type gorillaMember struct {
	c    *websocket.Conn
	send chan *websocket.PreparedMessage
}

func (h *gorillaHub) run() {
	members := map[*gorillaMember]struct{}{}
	leave := func(m *gorillaMember) {
		if _, here := members[m]; here {
			delete(members, m)
			close(m.send)
		}
	}
	for {
		select {
		case m := <-h.enter:
			members[m] = struct{}{}
		case m := <-h.exit:
			leave(m)
		case p := <-h.all:
			for m := range members {
				select {
				case m.send <- p:
				default:
					leave(m)
				}
			}
		}
	}
}

func (h *gorillaHub) serve(w http.ResponseWriter, r *http.Request) {
	c, err := gorillaUpgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	m := &gorillaMember{c, make(chan *websocket.PreparedMessage, sendQueue)}
	h.enter <- m
	go m.write()
	go func() {
		defer func() { h.exit <- m; c.Close() }()
		c.SetReadLimit(maxMessage)
		_ = c.SetReadDeadline(time.Now().Add(gorillaPongWait))
		c.SetPongHandler(func(string) error { return c.SetReadDeadline(time.Now().Add(gorillaPongWait)) })
		for {
			kind, b, err := c.ReadMessage()
			if err != nil {
				return
			}
			p, err := websocket.NewPreparedMessage(kind, b)
			if err != nil {
				return
			}
			h.all <- p
		}
	}()
}

func (m *gorillaMember) write() {
	ping := time.NewTicker(gorillaPingEvery)
	defer func() { ping.Stop(); m.c.Close() }()
	for {
		select {
		case p, ok := <-m.send:
			_ = m.c.SetWriteDeadline(time.Now().Add(gorillaWriteWait))
			if !ok {
				_ = m.c.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			if m.c.WritePreparedMessage(p) != nil {
				return
			}
		case <-ping.C:
			_ = m.c.SetWriteDeadline(time.Now().Add(gorillaWriteWait))
			if m.c.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func mountGorilla(mux *http.ServeMux) error {
	hub := &gorillaHub{make(chan *gorillaMember), make(chan *gorillaMember), make(chan *websocket.PreparedMessage)}
	go hub.run()
	mux.HandleFunc("/all", hub.serve)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c, err := gorillaUpgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			c.SetReadLimit(maxMessage)
			for {
				kind, b, err := c.ReadMessage()
				if err != nil || c.WriteMessage(kind, b) != nil {
					return
				}
			}
		}()
	})
	return nil
}
