package finch_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
	"github.com/finch-go/finch/internal/frame"
)

var mask = [4]byte{9, 8, 7, 6}

func TestABadMessageGetsAnAnswerAndTheSocketLives(t *testing.T) {
	nested := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	rows := []struct {
		name, text string
		code       string
		path       string // of the answer
		reply      string
	}{
		{"no JSON", `hello`, "bad_envelope", "finch.error", ""},
		{"an empty text", ``, "bad_envelope", "finch.error", ""},
		{"JSON that is no object", `[1,2]`, "bad_envelope", "finch.error", ""},
		{"a string", `"x"`, "bad_envelope", "finch.error", ""},
		{"no path", `{"data":1}`, "no_path", "finch.error", ""},
		{"no path, with an id", `{"data":1,"id":"q"}`, "no_path", "finch.error", "q"},
		{"a path that is a number", `{"path":1}`, "bad_path", "finch.error", ""},
		{"an empty path", `{"path":""}`, "bad_path", "finch.error", ""},
		{"a path that is too long", `{"path":"` + strings.Repeat("x", 129) + `"}`, "bad_path", "finch.error", ""},
		{"an id that is an object", `{"path":"x","id":{}}`, "bad_id", "finch.error", ""},
		{"an id that is too long", `{"path":"x","id":"` + strings.Repeat("x", 129) + `"}`, "bad_id", "finch.error", ""},
		{"a path twice", `{"path":"x","path":"y"}`, "bad_envelope", "finch.error", ""},
		{"too deep", `{"path":"x","data":` + nested + `}`, "too_deep", "finch.error", ""},
		{"too deep, with an id", `{"path":"x","id":"q","data":` + nested + `}`, "too_deep", "x", "q"},
		{"a path that only the server sends", `{"path":"finch.reset","id":"q"}`, "reserved_path", "finch.reset", "q"},
		{"a path of the framework that is not there", `{"path":"finch.magic","id":"q"}`, "unknown_path", "finch.magic", "q"},
		{"a path of the framework, without id", `{"path":"finch.error"}`, "reserved_path", "finch.error", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := finch.NewSocketManager(nil)
				finch.On(m, "x", func(context.Context, *finch.Socket, any) error { t.Error("it was handled"); return nil })
				c := finchtest.Connect(t, m, finch.Identity{})
				c.SendText(row.text)
				r := c.Expect(row.path, nil)
				if r.Error == nil || r.Error.Code != row.code || r.Error.Message == "" || r.Status < 400 || r.Reply.String() != row.reply {
					t.Errorf("answered %s", r)
				}
				c.ExpectNothing()
				if _, err := finchtest.Request[any](c, "finch.ping", nil); err != nil {
					t.Errorf("the socket does not live on: %v", err)
				}
			})
		})
	}
}

func TestABadBinaryMessageGetsAnAnswer(t *testing.T) {
	rows := map[string]string{
		"an empty one":                 "",
		"too short":                    "\x00\x00",
		"a length beyond the end":      "\x00\x00\x00\xff{}",
		"an envelope that is no JSON":  "\x00\x00\x00\x02{]rest",
		"an envelope that is no UTF-8": "\x00\x00\x00\x0c{\"path\":\"\xff\"}rest",
	}
	for name, payload := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				texts := 0
				m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
					OnText: func(context.Context, *finch.Socket, string) error { texts++; return nil },
				}})
				c := finchtest.Connect(t, m, finch.Identity{})
				c.Write(frame.AppendMasked(nil, frame.Binary, []byte(payload), mask))
				if r := c.Expect("finch.error", nil); r.Error == nil || r.Error.Code != "bad_binary" || r.Status != 400 {
					t.Errorf("answered %s", r)
				}
				if texts != 0 {
					t.Error("bytes reached OnText")
				}
			})
		})
	}
}

func TestAMessageThatIsTooLargeIsExplainedAndClosedWith1009(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var why finch.CloseReason
		m := finch.NewSocketManager(&finch.SocketManagerOptions{
			Limits: finch.Limits{MessageBytes: 1000},
			Event: finch.SocketEvent{OnDisconnect: func(ctx context.Context, s *finch.Socket, w finch.CloseReason) {
				why = w
			}},
		})
		finch.On(m, "x", func(ctx context.Context, s *finch.Socket, text string) error { return s.Send("got", len(text)) })
		c := finchtest.Connect(t, m, finch.Identity{})
		c.SendText(`{"path":"x","data":"` + strings.Repeat("x", 1000-22) + `"}`) // exactly the limit
		c.Expect("got", nil)
		c.SendText(`{"path":"x","data":"` + strings.Repeat("x", 1000-21) + `"}`)
		if r := c.Expect("finch.error", nil); r.Status != 413 || r.Error.Code != "too_large" || !strings.Contains(r.Error.Message, "1000 bytes") {
			t.Errorf("answered %s", r)
		}
		if code, _ := c.ExpectClose(); code != 1009 {
			t.Errorf("closed with %d", code)
		}
		synctest.Wait()
		if why.Code != 1009 || why.Clean {
			t.Errorf("OnDisconnect saw %+v", why)
		}
	})
}

func TestABrokenFrameClosesTheSocket(t *testing.T) {
	split := frame.AppendMasked(nil, frame.Text, []byte("سلام"[:3]), mask) // inside a rune
	rows := map[string]struct {
		b    []byte
		code int
	}{
		"no mask":                   {frame.AppendFrame(nil, frame.Text, []byte(`{"path":"x"}`)), 1002},
		"a reserved opcode":         {frame.AppendMasked(nil, frame.Opcode(5), nil, mask), 1002},
		"text that is not UTF-8":    {frame.AppendMasked(nil, frame.Text, []byte("{\"path\":\"\xff\"}"), mask), 1007},
		"text cut inside a rune":    {split, 1007},
		"a close code from nowhere": {frame.AppendMasked(nil, frame.Close, []byte{0x03, 0xee}, mask), 1002},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disconnects := 0
				m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
					OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { disconnects++ },
				}})
				c := finchtest.Connect(t, m, finch.Identity{})
				c.Write(row.b)
				if code, _ := c.ExpectClose(); code != row.code {
					t.Errorf("closed with %d, want %d", code, row.code)
				}
				synctest.Wait()
				if disconnects != 1 || m.CountClients() != 0 {
					t.Errorf("OnDisconnect ran %d times, %d sockets are left", disconnects, m.CountClients())
				}
			})
		})
	}
}

func TestFinchErrorIsSaidAsOftenAsIsUseful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c := finchtest.Connect(t, m, finch.Identity{})
		said := func(messages int) int64 {
			before := m.Stats().Sent
			for range messages {
				c.SendText("nonsense")
			}
			synctest.Wait()
			return m.Stats().Sent - before
		}
		if n := said(100); n < 3 || n > 20 {
			t.Errorf("100 mistakes at once were answered %d times", n)
		}
		time.Sleep(10 * time.Second)
		if n := said(100); n < 1 || n > 20 {
			t.Errorf("later they were answered %d times", n)
		}
		for range 50 { // an answer that is owed is never left out
			if _, err := finchtest.Request[any](c, "nowhere", nil); finch.StatusOf(err) != 404 {
				t.Fatalf("answered %v", err)
			}
		}
	})
}
