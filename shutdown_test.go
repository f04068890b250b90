package finch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestShutdownLetsHandlersFinishAndWhatTheySentLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []string
		release := make(chan struct{})
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				if ctx.Err() != nil {
					t.Error("the context of OnDisconnect has ended")
				}
				ran = append(ran, fmt.Sprint("OnDisconnect ", why.Code, why.Clean))
			},
		}})
		finch.OnRequest(m, "work", func(ctx context.Context, s *finch.Socket, n int) (int, error) {
			<-release
			if ctx.Err() != nil {
				t.Error("the handler's context ended while it was let finish")
			}
			for i := range 10 {
				s.Send("progress", i)
				m.SendToAll("all", i)
			}
			ran = append(ran, fmt.Sprint("work ", n))
			return n, nil
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.SendText(`{"path":"work","id":"started","data":1}`)
		c.SendText(`{"path":"work","id":"waits","data":2}`) // has arrived, but was not started
		synctest.Wait()
		m.SendToAll("before", nil)
		shut := make(chan error, 1)
		go func() { shut <- m.Shutdown(t.Context()) }()
		synctest.Wait()
		if len(ran) != 0 {
			t.Errorf("ran %v before the handler was released", ran)
		}
		w := httptest.NewRecorder()
		if m.ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws")); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("a newcomer was answered %d %v", w.Code, w.Header())
		}
		time.Sleep(time.Minute) // no haste
		close(release)
		c.Expect("before", nil)
		for i := range 10 {
			var progress, all int
			c.Expect("progress", &progress)
			c.Expect("all", &all)
			if progress != i || all != i {
				t.Errorf("got %d and %d, want %d", progress, all, i)
			}
		}
		if r := c.Expect("work", nil); r.Reply.String() != "started" || r.Status != 200 {
			t.Errorf("answered %s", r)
		}
		if code, _ := c.ExpectClose(); code != 1001 {
			t.Errorf("closed with %d", code)
		}
		if err := <-shut; err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		if want := []string{"work 1", "OnDisconnect 1001 true"}; !slices.Equal(ran, want) {
			t.Errorf("ran %v, want %v", ran, want)
		}
		if st := m.Stats(); st.Sockets != 0 || st.Users != 0 || st.QueuedBytes != 0 {
			t.Errorf("stats %+v", st)
		}
		if err := m.Shutdown(t.Context()); err != nil {
			t.Errorf("a second Shutdown returned %v", err)
		}
	})
}

func TestShutdownOfMessagesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 20
		var started, finished atomic.Int32
		m := finch.NewSocketManager(nil)
		finch.On(m, "work", func(ctx context.Context, s *finch.Socket, n int) error {
			started.Add(1)
			time.Sleep(10 * time.Millisecond)
			finished.Add(1)
			return s.Send("done", n)
		})
		var all []*finchtest.Client
		var senders sync.WaitGroup
		defer senders.Wait()
		for range clients {
			c := finchtest.Connect(t, m, finch.Identity{})
			all = append(all, c)
			senders.Go(func() { // go on until the end
				for i := 0; m.CountClients() > 0; i++ {
					c.Send("work", i)
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(105 * time.Millisecond)
		if err := m.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		if started.Load() != finished.Load() || started.Load() < clients*10 {
			t.Errorf("%d handlers were started and %d finished", started.Load(), finished.Load())
		}
		done := 0
		for _, c := range all {
			if code, _ := c.ExpectClose(); code != 1001 {
				t.Errorf("closed with %d", code)
			}
			next := 0
			for ; next < int(finished.Load())/clients; next++ {
				var n int
				if c.Expect("done", &n); n != next {
					t.Errorf("got %d, want %d", n, next)
				}
			}
			done += next
		}
		if done != int(finished.Load()) {
			t.Errorf("%d handlers sent, %d messages arrived", finished.Load(), done)
		}
	})
}

func TestShutdownGivesUpWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var gone atomic.Int32
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnMessage:    func(context.Context, *finch.Socket, *finch.Message) error { <-release; return nil },
			OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { gone.Add(1) },
		}})
		stuck, polite := finchtest.Connect(t, m, finch.Identity{}), finchtest.Connect(t, m, finch.Identity{})
		stuck.Send("x", nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		if err := m.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown returned %v", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if code, _ := polite.ExpectClose(); code != 1001 {
			t.Errorf("closed with %d", code)
		}
		if code, _ := stuck.ExpectClose(); code != 1006 {
			t.Errorf("the stuck one was closed with %d", code)
		}
		close(release)
		synctest.Wait()
		if n := gone.Load(); n != 2 {
			t.Errorf("OnDisconnect ran %d times", n)
		}
	})
}

func TestShutdownDoesNotWaitForClientsThatDoNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		deafClient(t, m, finch.Identity{})
		start := time.Now()
		if err := m.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

func TestShutdownOfAnAppEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, _ := newLogbook()
		app := guideApp(finch.AppOptions{Logger: logger})
		closed := make(chan finch.CloseReason, 1)
		app.AddRoute(finch.Route{Path: "/raw", WS: func(ws *finch.RawSocket) {
			ws.OnClose(func(why finch.CloseReason) { closed <- why })
		}})
		hold := make(chan struct{})
		app.AddRoute(finch.Route{Path: "/slow", Index: func(rq *finch.Request) error { <-hold; return rq.RenderString("done") }})
		l := newPipeListener()
		served := make(chan error, 1)
		go func() { served <- app.Serve(l) }()

		client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil }}}
		slow := make(chan int, 1)
		go func() {
			resp, err := client.Get("http://app.test/slow")
			if err != nil {
				t.Error(err)
				slow <- 0
				return
			}
			resp.Body.Close()
			slow <- resp.StatusCode
		}()
		ws := shake(t, l.dial(), "app.test", "/ws").welcome()
		ws.expect("output")
		raw := shake(t, l.dial(), "app.test", "/raw").welcome()
		synctest.Wait()
		shut := make(chan error, 1)
		go func() { shut <- app.Shutdown(t.Context()) }()
		for _, v := range []*visitor{ws, raw} {
			v.expectClose(1001)
			v.close(1001)
		}
		if why := <-closed; why.Code != 1001 {
			t.Errorf("OnClose saw %+v", why)
		}
		if w := get(app, "/readyz"); w.Code != 503 {
			t.Errorf("/readyz answered %d", w.Code)
		}
		for _, path := range []string{"/ws", "/raw"} {
			if w := refused(t, app, func(r *http.Request) { r.URL.Path = path }); w.Code != 503 {
				t.Errorf("%s answered %d", path, w.Code)
			}
		}
		select {
		case err := <-shut:
			t.Errorf("Shutdown returned %v while a request was served", err)
		default:
		}
		close(hold)
		if status := <-slow; status != 200 {
			t.Errorf("a request that had begun was answered %d", status)
		}
		if err := <-shut; err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
		client.CloseIdleConnections()
	})
}

// lateWriter lets something happen between the check of a request and its
// hijacking.
type lateWriter struct {
	pipeWriter
	meanwhile func()
}

func (w *lateWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.meanwhile()
	return w.pipeWriter.Hijack()
}

func TestASocketThatComesDuringShutdownIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var connects, disconnects atomic.Int32
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnConnect:    func(context.Context, *finch.Socket) error { connects.Add(1); return nil },
			OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { disconnects.Add(1) },
		}})
		app := raw(finch.AppOptions{}, func(ws *finch.RawSocket) { ws.OnClose(func(finch.CloseReason) { disconnects.Add(1) }) })
		for h, shutdown := range map[http.Handler]func(context.Context) error{m: m.Shutdown, app: app.Shutdown} {
			mine, theirs := net.Pipe()
			shut := make(chan error, 1)
			w := &lateWriter{pipeWriter{httptest.NewRecorder(), theirs}, func() {
				go func() { shut <- shutdown(t.Context()) }()
				time.Sleep(time.Second) // until it waits
			}}
			go h.ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws"))
			v := &visitor{t: t, nc: mine, br: bufio.NewReader(mine)}
			if _, err := http.ReadResponse(v.br, nil); err != nil {
				t.Fatal(err)
			}
			v.expectClose(1001)
			select {
			case err := <-shut:
				t.Errorf("Shutdown returned %v while a socket was there", err)
			default:
			}
			v.close(1001)
			if err := <-shut; err != nil {
				t.Errorf("Shutdown returned %v", err)
			}
			mine.Close()
		}
		if connects.Load() != 1 || disconnects.Load() != 2 {
			t.Errorf("OnConnect ran %d times, OnDisconnect and OnClose %d", connects.Load(), disconnects.Load())
		}
		if m.CountClients() != 0 || app.Stats().RawSockets != 0 {
			t.Errorf("%d clients, %+v", m.CountClients(), app.Stats())
		}
	})
}

// Real concurrency: whoever comes while the manager shuts down is refused or
// closed, and nobody is forgotten.
func TestShutdownAndUpgradesRace(t *testing.T) {
	for range 50 {
		var connects, disconnects atomic.Int32
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnConnect:    func(context.Context, *finch.Socket) error { connects.Add(1); return nil },
			OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { disconnects.Add(1) },
		}})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				mine, theirs := net.Pipe()
				defer mine.Close()
				w := &pipeWriter{httptest.NewRecorder(), theirs}
				m.ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws"))
				if w.Code == http.StatusServiceUnavailable {
					return
				}
				v := &visitor{t: t, nc: mine, br: bufio.NewReader(mine)}
				if _, err := http.ReadResponse(v.br, nil); err != nil {
					t.Error(err)
					return
				}
				if ev, err := v.read(); err != nil || ev.Code != 1001 {
					t.Errorf("got %v %d, %v", ev.Opcode, ev.Code, err)
				}
				v.close(1001)
			})
		}
		if err := m.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		for deadline := time.Now().Add(patience); connects.Load() != disconnects.Load() || m.CountClients() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d came, %d left, %d are counted", connects.Load(), disconnects.Load(), m.CountClients())
			}
		}
	}
}
