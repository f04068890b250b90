package client_test

import (
	"context"
	"encoding/binary"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/protocol"
)

// FuzzMessagesOfTheServer gives a client whatever a server may say, twice in a
// row, while it is in a room, watches who is there and publishes: it must neither
// panic nor hang, and still answer.
func FuzzMessagesOfTheServer(f *testing.F) {
	for _, text := range []string{
		`{"path":"post","status":200,"room":"chat:7","position":"e.1.a","key":"k","from":"f","data":1}`,
		`{"path":"post","room":"chat:7","position":"e.18446744073709551616.a"}`,
		`{"path":"note","to":"user","position":"u.1.a","data":null}`,
		`{"path":"finch.joined","data":{"room":"chat:7","position":"e.9.a","recovered":true,"missed":3}}`,
		`{"path":"finch.joined","data":{"room":"other","position":"","ticket":"t"}}`,
		`{"path":"finch.joined","data":{"to":"everyone","position":"x"}}`,
		`{"path":"finch.reset","data":{"room":"chat:7","position":"f.1.1","reason":"epoch"}}`,
		`{"path":"finch.left","data":{"room":"chat:7","error":{"code":"unavailable","message":""}}}`,
		`{"path":"finch.left","data":{"room":"chat:7"}}`,
		`{"path":"finch.lagged","data":{"room":"chat:7"}}`,
		`{"path":"finch.position","data":{"room":"chat:7","position":"e.5.5"}}`,
		`{"path":"finch.presence","room":"chat:7","data":{"joined":[{"id":"a"}],"left":["a"],"count":-1,"partial":true}}`,
		`{"path":"finch.drain","data":{"delay":1e308}}`,
		`{"path":"finch.drain","id":1,"data":{"delay":-1}}`,
		`{"path":"x","reply":1,"data":{"version":1}}`, `{"path":"x","reply":2,"data":{"position":7}}`,
		`{"path":"x","reply":3,"error":{"code":"unavailable","message":""},"status":503}`,
		`{"path":"x","reply":4,"data":[]}`, `{"path":"x","reply":5,"data":{"members":[{}],"next":"n"}}`,
		`{"path":"where","id":9,"data":{}}`,
	} {
		f.Add([]byte(text), false)
		f.Add(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...), true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, isBinary bool) {
		inMemory(t, func(w *world) {
			c := w.client(client.Options{OnEvent: func(context.Context, client.Event) {}})
			client.On(c, "post", func(context.Context, *client.Message) error { return nil })
			conn := w.open(c)
			room := w.joined(c, conn)
			reading(context.Background(), room)
			go func() {
				for range room.WatchPresence(context.Background()) {
				}
			}()
			conn.take(protocol.PathPresence)
			room.StartPublish("post", 1, nil)
			conn.take(protocol.PathPublish)
			for range 2 {
				client.Receive(c, append([]byte{}, payload...), isBinary)
			}
			synctest.Wait()
			if c.State().Phase != client.Open {
				return // an answer to finch.hello that makes no sense, or a drain
			}
			c.Send("alive", nil)
			for {
				ctx, cancel := soon()
				m, err := conn.Next(ctx)
				cancel()
				if err != nil {
					if c.State().Phase == client.Open {
						t.Fatalf("the client does not send any more: %v", err)
					}
					return
				}
				if m.Path == "alive" {
					return
				}
			}
		})
	})
}

// FuzzAnswerOfTheHandshake gives a client whatever a server may answer: it must
// try again.
func FuzzAnswerOfTheHandshake(f *testing.F) {
	for _, answer := range []string{
		"", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
		"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno.",
		"HTTP/1.1 401\r\n\r\n", "HTTP/1.0 403 Forbidden\r\n\r\n", "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "\x16\x03\x01\x02\x00\x01",
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		inMemory(t, func(w *world) {
			c := w.client(client.Options{})
			go c.Connect(context.Background())
			ctx, cancel := soon()
			defer cancel()
			h, err := w.door.Knock(ctx)
			if err != nil {
				t.Fatal(err)
			}
			h.Say(answer)
			synctest.Wait()
			switch s := c.State(); s.Phase {
			case client.Waiting:
				w.greet()
			case client.Closed:
				if s.Code != 4401 && s.Code != 4403 {
					t.Errorf("the client stopped: %+v", s)
				}
			default:
				t.Errorf("the client is %+v", s)
			}
		})
	})
}
