package finch_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
	"github.com/finch-go/finch/internal/frame"
)

const browserOffer = "permessage-deflate; client_max_window_bits"

// squeezed is a client that reads and writes frames, compressed ones too.
type squeezed struct {
	t      *testing.T
	nc     net.Conn
	r      *bufio.Reader
	answer string // the extensions that were agreed on
	parser frame.Parser
	rest   []byte
}

// squeezedWriter is a ResponseWriter whose connection is one end of a pipe.
type squeezedWriter struct {
	*httptest.ResponseRecorder
	nc net.Conn
}

func (w squeezedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.nc, bufio.NewReadWriter(bufio.NewReader(w.nc), bufio.NewWriter(w.nc)), nil
}

// squeeze connects with an offer; empty: none.
func squeeze(t *testing.T, h http.Handler, offer string) *squeezed {
	t.Helper()
	mine, theirs := net.Pipe()
	t.Cleanup(func() { mine.Close() })
	r := finchtest.NewRequest("ws://app.test/ws")
	if offer != "" {
		r.Header.Set("Sec-WebSocket-Extensions", offer)
	}
	h.ServeHTTP(squeezedWriter{httptest.NewRecorder(), theirs}, r)
	c := &squeezed{t: t, nc: mine, r: bufio.NewReader(mine)}
	answer, err := http.ReadResponse(c.r, r)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("not upgraded: %v, %v", answer, err)
	}
	c.answer = answer.Header.Get("Sec-WebSocket-Extensions")
	return c
}

// write sends a message, compressed if bits say so.
func (c *squeezed) write(op frame.Opcode, message string, deflate bool) {
	c.t.Helper()
	payload := []byte(message)
	if deflate {
		b := frame.NewDeflater(1).AppendFrame(nil, op, payload, frame.MaxWindowBits)
		_, n, _ := frame.ParseHeader(b)
		if payload = b[n:]; n == 0 {
			c.t.Fatal("this message does not get smaller")
		}
	}
	c.writeFrame(op, payload, deflate)
}

func (c *squeezed) writeFrame(op frame.Opcode, payload []byte, rsv1 bool) {
	c.t.Helper()
	b := frame.AppendMasked(nil, op, payload, [4]byte{1, 2, 3, 4})
	if rsv1 {
		b[0] |= 0x40
	}
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// read answers the next message, inflated, and whether it came compressed.
func (c *squeezed) read() (ev frame.Event) {
	c.t.Helper()
	for {
		for len(c.rest) > 0 {
			ev, n, err := c.parser.Next(&frame.Config{Client: true, Deflate: c.answer != ""}, c.rest)
			c.rest = c.rest[n:]
			if err != nil {
				c.t.Fatal(err)
			}
			if ev.Compressed {
				if ev.Payload, err = frame.Inflate(ev.Opcode, ev.Payload, 0); err != nil {
					c.t.Fatal(err)
				}
			}
			if ev.Opcode != 0 {
				return ev
			}
		}
		b := make([]byte, 4<<10)
		n, err := c.r.Read(b)
		if err != nil {
			c.t.Fatal(err)
		}
		c.rest = b[:n]
	}
}

// expect reads a message and checks what it holds and how it came.
func (c *squeezed) expect(part string, compressed bool) {
	c.t.Helper()
	if ev := c.read(); !strings.Contains(string(ev.Payload), part) || ev.Compressed != compressed {
		c.t.Fatalf("got %v %.100q (code %d), compressed: %v; want %.100q, %v", ev.Opcode, ev.Payload, ev.Code, ev.Compressed, part, compressed)
	}
}

func (c *squeezed) expectClose(code int) {
	c.t.Helper()
	if ev := c.read(); ev.Opcode != frame.Close || ev.Code != code {
		c.t.Fatalf("got %v %.100q (code %d), want close %d", ev.Opcode, ev.Payload, ev.Code, code)
	}
}

// managed is a manager with compression that echoes path echo.
func managed(o *finch.Compression) *finch.SocketManager {
	m := finch.NewSocketManager(&finch.SocketManagerOptions{Compression: o})
	finch.OnRequest(m, "echo", func(_ context.Context, _ *finch.Socket, in string) (string, error) { return in, nil })
	return m
}

func envelope(path, data string) string {
	b, _ := json.Marshal(map[string]any{"path": path, "data": data, "id": 1})
	return string(b)
}

var long = strings.Repeat("a long line of chat; ", 50)

func TestCompressionIsAgreedOnOnlyIfBothWantIt(t *testing.T) {
	const both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, row := range []struct {
		name          string
		on            bool
		offer, answer string
	}{
		{"off", false, browserOffer, ""},
		{"on, and not offered", true, "", ""},
		{"on, and offered by a browser", true, browserOffer, both},
		{"on, and offered for a small window", true, "permessage-deflate; server_max_window_bits=9", both + "; server_max_window_bits=9"},
		{"on, and offered in a way that must be declined", true, "permessage-deflate; server_max_window_bits=7", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var o *finch.Compression
				if row.on {
					o = &finch.Compression{}
				}
				c := squeeze(t, managed(o), row.offer)
				if c.answer != row.answer {
					t.Fatalf("%q is answered %q, want %q", row.offer, c.answer, row.answer)
				}
				agreed := row.answer != ""
				c.write(frame.Text, envelope("echo", long), false) // one may always send plain messages
				c.expect(long, agreed)
				c.write(frame.Text, envelope("echo", long), true)
				if !agreed {
					c.expectClose(1002)
					return
				}
				c.expect(long, true)
			})
		})
	}
}

func TestSmallMessagesAreNotCompressed(t *testing.T) {
	for _, row := range []struct {
		threshold, size int
		compressed      bool
	}{
		{0, 300, false}, {0, 600, true}, {200, 300, true}, {5000, 600, false}, {-1, 300, true}, {-1, 2, false},
	} {
		t.Run(fmt.Sprintf("%d bytes at %d", row.size, row.threshold), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := squeeze(t, managed(&finch.Compression{Threshold: row.threshold}), browserOffer)
				text := strings.Repeat("x", row.size)
				c.write(frame.Text, envelope("echo", text), false)
				c.expect(text, row.compressed)
			})
		})
	}
}

func TestABroadcastIsCompressedOnceForEachWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managed(&finch.Compression{})
		offers := map[string]bool{"": false, browserOffer: true, "permessage-deflate; server_max_window_bits=9": true}
		var clients []*squeezed
		for offer := range offers {
			for range 20 {
				clients = append(clients, squeeze(t, m, offer))
			}
		}
		made := finch.CountCompressed(m)
		for i := range 3 {
			text := fmt.Sprint(i, " ", long)
			if err := m.SendToAll("news", text); err != nil {
				t.Fatal(err)
			}
			for _, c := range clients {
				c.expect(text, c.answer != "")
			}
		}
		if n := made.Load(); n != 3*2 {
			t.Errorf("3 messages to 60 sockets with 2 windows were compressed %d times", n)
		}
	})
}

func TestNothingIsCompressedForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managed(&finch.Compression{})
		made := finch.CountCompressed(m)
		c := squeeze(t, m, "")
		m.SendToAll("news", long)
		c.expect(long, false)
		if n := made.Load(); n != 0 {
			t.Errorf("compressed %d times", n)
		}
	})
}

func TestOrderHoldsBetweenCompressedAndPlainMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managed(&finch.Compression{})
		c := squeeze(t, m, browserOffer)
		for s := range m.Sockets() {
			for i := range 20 {
				m.SendToAll("n", fmt.Sprint(2*i, " ", strings.Repeat("x", i%2*1000)))
				s.Send("n", fmt.Sprint(2*i+1, " ", strings.Repeat("x", i%3*1000)))
			}
		}
		for i := range 40 {
			c.expect(fmt.Sprintf(`"data":"%d `, i), i/2%2 == 1 && i%2 == 0 || i/2%3 > 0 && i%2 == 1)
		}
	})
}

func TestACompressedAnswerOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Compression: &finch.Compression{}})
		got := make(chan string, 1)
		finch.On(m, "start", func(ctx context.Context, s *finch.Socket, _ string) error {
			answer, err := finch.Ask[string, string](ctx, s, "name", "?")
			got <- fmt.Sprint(len(answer), " ", err)
			return nil
		})
		c := squeeze(t, m, browserOffer)
		c.write(frame.Text, `{"path":"start","data":""}`, false)
		c.expect(`"name"`, false)
		c.write(frame.Text, envelope("start", long), true) // arrives before, and waits
		answer, _ := json.Marshal(map[string]any{"path": "name", "reply": 1, "status": 200, "data": long})
		c.write(frame.Text, string(answer), true)
		if a := <-got; a != fmt.Sprint(len(long), " <nil>") {
			t.Fatalf("asked, and got %s", a)
		}
	})
}

func TestWhatIsInflatedKeepsTheLimits(t *testing.T) {
	t.Run("of a message", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := squeeze(t, managed(&finch.Compression{}), browserOffer)
			c.write(frame.Text, strings.Repeat(" ", 64<<10+1), true)
			c.expect(`"too_large"`, false)
			c.expectClose(1009)
		})
	})
	t.Run("of bytes a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := finch.NewSocketManager(&finch.SocketManagerOptions{
				Compression: &finch.Compression{}, Limits: finch.Limits{BytesPerSecond: 10 << 10},
			})
			finch.On(m, "log", func(context.Context, *finch.Socket, string) error { return nil })
			c := squeeze(t, m, browserOffer)
			for range 6 { // five seconds' worth, in a few hundred bytes
				c.write(frame.Text, `{"path":"log","data":"`+strings.Repeat("x", 10<<10)+`"}`, true)
			}
			c.expect(`"too_fast"`, false)
		})
	})
	t.Run("of what is text", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := squeeze(t, managed(&finch.Compression{}), browserOffer)
			c.writeFrame(frame.Text, []byte("\x00\x01\x00\xfe\xff\xff\x00"), true)
			c.expectClose(1007)
		})
	})
	t.Run("of what is deflate", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := squeeze(t, managed(&finch.Compression{}), browserOffer)
			c.writeFrame(frame.Binary, []byte("\x06"), true)
			c.expectClose(1007)
		})
	})
}

func TestARawSocketSpeaksCompressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := finch.NewApp(&finch.AppOptions{
			Compression: &finch.Compression{},
			Routes: []finch.Route{{Path: "ws", WS: func(ws *finch.RawSocket) {
				ws.OnMessage(func(text string) { ws.Send(text) })
				ws.OnBinary(func(b []byte) { ws.SendBinary(b) })
			}}},
		})
		c := squeeze(t, app, browserOffer)
		for _, op := range []frame.Opcode{frame.Text, frame.Binary} {
			c.write(op, long, true)
			c.expect(long, true)
			c.write(op, "short", false)
			c.expect("short", false)
		}
		plain := squeeze(t, app, "")
		plain.write(frame.Text, long, false)
		plain.expect(long, false)
	})
}

func TestALevelThatThereIsNotPanics(t *testing.T) {
	for _, level := range []int{-1, 10} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, fmt.Sprint("Compression.Level is ", level)) {
					t.Errorf("level %d: %s", level, p)
				}
			}()
			finch.NewSocketManager(&finch.SocketManagerOptions{Compression: &finch.Compression{Level: level}})
		}()
	}
}

// A socket that has spoken compressed costs no more at rest than one that has
// not: what it was compressed with belongs to nobody.
func TestAnIdleCompressedSocketHoldsNoWindow(t *testing.T) {
	const sockets = 200
	cost := func(offer string) float64 {
		m := managed(&finch.Compression{})
		before := settledHeap()
		clients := make([]*squeezed, sockets)
		for i := range clients {
			clients[i] = squeeze(t, m, offer)
			clients[i].write(frame.Text, envelope("echo", long), offer != "")
			clients[i].expect(long, offer != "")
			clients[i].rest = nil
		}
		n := float64(settledHeap()-before) / sockets
		for _, c := range clients {
			c.nc.Close()
		}
		return n
	}
	plain := cost("")
	compressed := cost(browserOffer)
	t.Logf("plain %.0f bytes a socket, client included; compressed %.0f", plain, compressed)
	if compressed > plain+2<<10 {
		t.Errorf("a compressed socket holds %.0f bytes more than a plain one", compressed-plain)
	}
}

// settledHeap answers the bytes in use once the pools are empty.
func settledHeap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
