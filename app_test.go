package finch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// guideController is the guide's controller.
type guideController struct {
	finch.Controller
}

func (c *guideController) Socket(rq *finch.Request) error {
	if err := c.App.SocketManager().RequestHandle(rq); err != nil {
		return err
	}
	return rq.RenderSocket()
}

// guideApp is the guide's program.
func guideApp(o finch.AppOptions) *finch.App {
	app := finch.NewApp(&o)
	app.AddSocketRoute(map[string]finch.SocketEvent{ // before there is a manager
		"test": {OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
			return s.Send("test", []any{s.Request().Header()})
		}},
	})
	finch.NewSocketManager(&finch.SocketManagerOptions{App: app, Event: finch.SocketEvent{
		OnConnect: func(ctx context.Context, s *finch.Socket) error {
			return app.SocketManager().SendToAll("output", "کاربر جدید متصل شد!")
		},
		OnText: func(ctx context.Context, s *finch.Socket, text string) error { return s.SendText("اکو: " + text) },
	}})
	sockets := &guideController{finch.Controller{App: app}}
	app.AddRoute(finch.Route{Key: "root.ws", Path: "/ws", Methods: finch.MethodsAll, Index: sockets.Socket})
	return app
}

func TestTheGuidesProgramRuns(t *testing.T) {
	logger, book := newLogbook()
	app := guideApp(finch.AppOptions{Logger: logger})
	v := visit(t, serve(t, app), "/ws", "User-Agent: visitor").welcome()
	if e := v.expect("output"); string(e.Data) != `"کاربر جدید متصل شد!"` {
		t.Errorf("got %s", e.Data)
	}
	v.text("سلام سرور!")
	v.expectText("اکو: سلام سرور!")
	v.text(`{"path":"test"}`)
	if e := v.expect("test"); !strings.Contains(string(e.Data), `"User-Agent":["visitor"]`) {
		t.Errorf("got %s", e.Data)
	}
	if app.SocketManager().CountClients() != 1 {
		t.Errorf("%d clients", app.SocketManager().CountClients())
	}
	v.close(1000)
	v.expectClose(1000)
	book.lacks(t, "WARN", "ERROR") // such as net/http's about writing behind an upgrade
}

func TestAnAppSpeaksTLS(t *testing.T) {
	borrowed := httptest.NewUnstartedServer(nil)
	borrowed.StartTLS()
	defer borrowed.Close()
	app := guideApp(finch.AppOptions{TLS: &tls.Config{Certificates: borrowed.TLS.Certificates}})
	v := visitTLS(t, serve(t, app), "/ws").welcome()
	v.expect("output")
	v.text("سلام")
	v.expectText("اکو: سلام")
	big := strings.Repeat("س", 20_000) // more than one TLS record
	v.text(big)
	v.expectText("اکو: " + big)
	v.close(1000)
	v.expectClose(1000)
	resp, err := borrowed.Client().Get("https://" + app.Listening().String() + "/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 426 || !strings.Contains(string(body), `"wss://`) {
		t.Errorf("answered %s %s", resp.Status, body)
	}
}

func TestAnAppIsAHandlerForOtherServers(t *testing.T) {
	for _, secure := range []bool{false, true} {
		app := guideApp(finch.AppOptions{})
		srv := httptest.NewUnstartedServer(app)
		var v *visitor
		if secure {
			srv.StartTLS()
			v = visitTLS(t, srv.Listener.Addr(), "/ws").welcome()
		} else {
			srv.Start()
			v = visit(t, srv.Listener.Addr(), "/ws").welcome()
		}
		v.text("سلام")
		v.expect("output")
		v.expectText("اکو: سلام")
		go app.Shutdown(t.Context())
		v.expectClose(1001)
		v.close(1001)
		srv.Close()
		if app.Listening() != nil {
			t.Error("an App that does not listen says that it does")
		}
	}
}

func TestStartServesUntilItsContextEnds(t *testing.T) {
	app := guideApp(finch.AppOptions{Addr: "127.0.0.1:0"})
	if app.Listening() != nil {
		t.Error("it listens before Start")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- app.Start(ctx) }()
	v := visit(t, listening(t, app), "/ws").welcome()
	v.expect("output")
	cancel()
	v.expectClose(1001)
	v.close(1001)
	if err := <-ended; err != nil {
		t.Errorf("Start returned %v", err)
	}
	if _, err := net.Dial("tcp", app.Listening().String()); err == nil {
		t.Error("it still listens")
	}
}

func TestStartStopsOnASignal(t *testing.T) {
	app := guideApp(finch.AppOptions{Addr: "127.0.0.1:0"})
	ended := make(chan error, 1)
	go func() { ended <- app.Start(t.Context()) }()
	v := visit(t, listening(t, app), "/ws").welcome()
	me, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := me.Signal(os.Interrupt); err != nil {
		t.Skip("this system cannot signal: ", err)
	}
	v.expectClose(1001)
	v.close(1001)
	if err := <-ended; err != nil {
		t.Errorf("Start returned %v", err)
	}
}

// listening waits until an App listens.
func listening(t *testing.T, app *finch.App) net.Addr {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if a := app.Listening(); a != nil {
			return a
		}
	}
	t.Fatal("it does not listen")
	return nil
}

func TestABusyPortIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = finch.NewApp(&finch.AppOptions{Addr: l.Addr().String()}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "already listens on "+l.Addr().String()) || !strings.Contains(err.Error(), "AppOptions.Addr") {
		t.Errorf("Start returned %v", err)
	}
	if err := finch.NewApp(&finch.AppOptions{Addr: "nonsense"}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("Start returned %v", err)
	}
}

func TestServeAfterShutdownServesNothing(t *testing.T) {
	app := finch.NewApp(nil)
	if err := app.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := newPipeListener()
	if err := app.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestAClientThatNeverFinishesItsHandshakeIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, _ := newLogbook()
		app := guideApp(finch.AppOptions{Logger: logger})
		l := newPipeListener()
		served := make(chan error, 1)
		go func() { served <- app.Serve(l) }()
		start := time.Now()
		for _, sent := range []string{"", "GET /ws HTTP/1.1\r\nHost: app.test\r\nUpgr"} {
			nc := l.dial()
			if sent != "" {
				io.WriteString(nc, sent)
			}
			var dripping sync.WaitGroup
			dripping.Go(func() { io.Copy(nc, slowly{}) }) // a byte a second, for ever
			nc.SetReadDeadline(start.Add(time.Hour))
			io.Copy(io.Discard, nc)
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it was cut off after %v", took)
			}
			nc.Close()
			dripping.Wait()
			start = time.Now()
		}
		if n := app.SocketManager().CountClients(); n != 0 {
			t.Errorf("%d clients", n)
		}
		app.Shutdown(t.Context())
		<-served
	})
}

// slowly is a reader of one byte a second.
type slowly struct{}

func (slowly) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	b[0] = 'x'
	return 1, nil
}

func TestAnAppHasOneManager(t *testing.T) {
	app := finch.NewApp(nil)
	if app.SocketManager() != nil {
		t.Error("a manager came from nowhere")
	}
	m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app})
	text := panicOf(func() { finch.NewSocketManager(&finch.SocketManagerOptions{App: app}) })
	if strings.Count(text, "app_test.go:") != 2 || !strings.Contains(text, "keep one") {
		t.Errorf("the panic says %s", text)
	}
	if app.SocketManager() != m {
		t.Error("the second took its place")
	}
}

func TestSocketRoutesMayComeBeforeAndAfterTheManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := finch.NewApp(nil)
		event := finch.SocketEvent{OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error { return nil }}
		app.AddSocketRoute(map[string]finch.SocketEvent{"before": event})
		m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app})
		app.AddSocketRoute(map[string]finch.SocketEvent{"after": event})
		c := finchtest.Connect(t, m, finch.Identity{})
		for _, path := range []string{"before", "after"} {
			if _, err := finchtest.Request[any](c, path, nil); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		for _, path := range []string{"before", "after"} {
			text := panicOf(func() { app.AddSocketRoute(map[string]finch.SocketEvent{path: event}) })
			if strings.Count(text, "app_test.go:") != 2 {
				t.Errorf("%s twice: %s", path, text)
			}
		}
	})
}

func TestASocketRouteThatComesBeforeTheManagerIsCheckedWhenItComes(t *testing.T) {
	app := finch.NewApp(nil)
	event := map[string]finch.SocketEvent{"chat": {}}
	app.AddSocketRoute(event)
	text := panicOf(func() {
		finch.NewSocketManager(&finch.SocketManagerOptions{App: app, Routes: event})
	})
	if strings.Count(text, "app_test.go:") != 2 || !strings.Contains(text, `"chat"`) {
		t.Errorf("the panic says %s", text)
	}
}
