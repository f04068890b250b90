package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch"
)

// welcome tells everyone, the newcomer too, that somebody has come. The guide asks
// its manager, m.CountClients(), which knows of its own node alone.
func welcome(s *finch.Socket, clients int) error {
	return s.Manager().SendToAll("output", fmt.Sprintf("کاربر جدید متصل شد! تعداد: %d", clients))
}

// SocketController serves the socket's address.
type SocketController struct{ finch.Controller }

// Socket upgrades the request, and answers 426 to one that is no WebSocket.
func (c *SocketController) Socket(rq *finch.Request) error {
	if err := c.App.SocketManager().RequestHandle(rq); err != nil {
		return err
	}
	return rq.RenderSocket()
}

// getSocketRoute returns the guide's events by path.
func getSocketRoute() map[string]finch.SocketEvent {
	return map[string]finch.SocketEvent{
		"test": {OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
			return s.Send("test", []any{s.Request().Header()})
		}},
		"time": {OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
			return s.Send("output", time.Now().Format(time.RFC3339))
		}},
		"clients":  {OnMessage: listClients},
		"toclient": {OnMessage: toClient},
		"close": {OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
			if err := m.Reply(nil); err != nil { // what is sent before Close still leaves
				return err
			}
			return s.Close(1000, "as you asked")
		}},
		"fa":     {OnMessage: tenLines},
		"stream": {OnMessage: stream},
	}
}

func listClients(ctx context.Context, s *finch.Socket, m *finch.Message) error {
	ids := []string{}
	for other := range s.Manager().Sockets() {
		ids = append(ids, other.ID())
	}
	return s.Send("clients", ids)
}

// toClient passes a message on to one other socket.
func toClient(ctx context.Context, s *finch.Socket, m *finch.Message) error {
	var to struct{ ID, Message string }
	if err := m.Decode(&to); err != nil {
		return err
	}
	err := s.Manager().SendToSocket(to.ID, "output", fmt.Sprintf("Client %s: %s", s.ID(), to.Message))
	if errors.Is(err, finch.ErrNotConnected) || errors.Is(err, finch.ErrClosed) {
		return finch.Errorf(404, "no_such_client", "no client with this id is connected")
	}
	return err
}

// tenLines sends ten lines, one a second, while the socket's other messages
// go on: a handler that waits holds up its own socket, so this one leaves the
// waiting to a goroutine that ends with the connection.
func tenLines(ctx context.Context, s *finch.Socket, m *finch.Message) error {
	// The handlers of one socket run one at a time, so there is no race
	// between looking and storing; the goroutine only clears the flag.
	running, ok := s.Get("fa").(*atomic.Bool)
	if !ok {
		running = new(atomic.Bool)
		s.Set("fa", running)
	}
	if running.Swap(true) {
		return finch.Errorf(429, "too_fast", "ten lines are on their way already; wait for the last")
	}
	go func() {
		defer running.Store(false)
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for i, n := range []string{"یکم", "دوم", "سوم", "چهارم", "پنجم", "ششم", "هفتم", "هشتم", "نهم", "دهم"} {
			if i > 0 {
				select {
				case <-second.C:
				case <-ctx.Done():
					return
				}
			}
			if s.Send("output", "این خطِ "+n+" از ده خط است.") != nil {
				return // the socket is gone
			}
		}
	}()
	return nil
}

// stream sends a blob back. It lies beside data in the envelope, not in it:
// fields that Finch does not know are in m.Raw. A binary frame's bytes come
// back as a binary frame.
func stream(ctx context.Context, s *finch.Socket, m *finch.Message) error {
	if m.Binary != nil {
		return s.Send("streamServer", m.Binary)
	}
	var envelope struct {
		Blob json.RawMessage `json:"blob"`
	}
	if err := json.Unmarshal(m.Raw, &envelope); err != nil {
		return err
	}
	if envelope.Blob == nil {
		return finch.Errorf(422, "no_blob", `a stream message has its bytes in "blob", beside "path"`)
	}
	return s.Send("streamServer", envelope.Blob)
}
