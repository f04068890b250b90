package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/protocol"
)

func TestStatesAreToldInOrder(t *testing.T) {
	inMemory(t, func(w *world) {
		var mu sync.Mutex
		var told []client.State
		c := w.client(client.Options{OnState: func(s client.State) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, s)
		}})
		if got := c.State().Phase; got != client.Idle {
			t.Errorf("before Connect the client is %v", got)
		}
		conn := w.open(c)
		conn.Close(1013, "too slow")
		synctest.Wait()
		conn, _ = w.greet()
		synctest.Wait()
		closed := start(c.Close)
		ctx, cancel := soon()
		defer cancel()
		if end, err := conn.Closed(ctx); err != nil || end.Code != 1000 {
			t.Errorf("the client closed with %v, %v", end, err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		var phases []string
		for _, s := range told {
			phases = append(phases, s.Phase.String())
		}
		if want := []string{"connecting", "open", "waiting", "connecting", "open", "closed"}; !slices.Equal(phases, want) {
			t.Fatalf("told %v, want %v", phases, want)
		}
		if s := told[2]; s.Code != 1013 || s.Reason != "too slow" || s.Delay < 0 || s.Delay > 5*time.Second {
			t.Errorf("the connection that was lost was told as %+v", s)
		}
		if s := told[5]; s.Code != 1000 {
			t.Errorf("the end was told as %+v", s)
		}
	})
}

func TestACallbackThatBlocksMissesOldStatesOnly(t *testing.T) {
	inMemory(t, func(w *world) {
		release := make(chan struct{})
		var last client.State
		var told int
		c := w.client(client.Options{RetryFirst: time.Millisecond, RetryMax: time.Millisecond, OnState: func(s client.State) {
			<-release
			last = s
			told++
		}})
		go c.Connect(context.Background())
		for range 300 {
			ctx, cancel := soon()
			h, err := w.door.Knock(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			h.Refuse(503)
		}
		conn, _ := w.greet()
		synctest.Wait()
		close(release)
		synctest.Wait()
		if last.Phase != client.Open || told > 300 {
			t.Errorf("of many states %d were told, the last %v", told, last.Phase)
		}
		conn.Drop()
	})
}

func TestDialFailsWhenTheServerRefusesForGood(t *testing.T) {
	inMemory(t, func(w *world) {
		done := start(func() error {
			_, err := client.Dial(context.Background(), w.server.URL("/ws"), &client.Options{Dial: w.server.Dial, Logger: quiet})
			return err
		})
		w.accept().Close(protocol.CloseForbidden, "not you")
		err := <-done
		var closed *client.ClosedError
		if !errors.As(err, &closed) || closed.Code != 4403 || closed.Reason != "not you" || !errors.Is(err, client.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDialFailsWithItsContext(t *testing.T) {
	inMemory(t, func(w *world) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_, err := client.Dial(ctx, w.server.URL("/nowhere"), &client.Options{Dial: w.server.Dial, Logger: quiet})
		wantError(t, "no server", err, context.DeadlineExceeded)
	})
}

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	for _, address := range []string{"", "localhost:3000", "ftp://x/ws", "ws://", "ws:///ws", "ws://x/ws#part", "ws://x y/", "://"} {
		if _, err := client.New(address, nil); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
	for _, address := range []string{"ws://x/ws", "wss://x:1/ws?a=b", "http://[::1]/", "https://x"} {
		if _, err := client.New(address, nil); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestTheHandshakeHasWhatTheUserGave(t *testing.T) {
	inMemory(t, func(w *world) {
		var dialed string
		c, err := client.New("ws://ann:secret@example.com/ws?room=a%20b", &client.Options{
			Logger: quiet, Header: http.Header{"X-Trace": {"1"}},
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				dialed = address
				return w.server.Dial(ctx, network, address)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go c.Connect(context.Background())
		r := w.accept().Handshake.Request
		user, password, _ := r.BasicAuth()
		if dialed != "example.com:80" || r.Host != "example.com" || r.RequestURI != "/ws?room=a%20b" || r.Header.Get("X-Trace") != "1" || user != "ann" || password != "secret" {
			t.Errorf("dialed %s, asked %s of %s with %v", dialed, r.RequestURI, r.Host, r.Header)
		}
		if got := r.Header.Get("Sec-WebSocket-Protocol"); got != protocol.SubprotocolJSON {
			t.Errorf("offered %q", got)
		}
	})
}

func TestATokenIsKeptUntilItIsRefused(t *testing.T) {
	inMemory(t, func(w *world) {
		var calls int
		c := w.client(client.Options{Token: func(ctx context.Context) (string, error) {
			calls++
			return strings.Repeat("t", calls), nil
		}})
		conn := w.open(c)
		for _, step := range []struct {
			code  int
			token string
		}{{1013, "t"}, {4401, "tt"}, {1001, "tt"}} {
			conn.Close(step.code, "")
			conn, _ = w.greet()
			if got := conn.Handshake.Token(); got != step.token {
				t.Errorf("after %d the client came with %q, want %q", step.code, got, step.token)
			}
			synctest.Wait()
		}
		done := start(func() error { return c.Authenticate(context.Background(), "given") })
		m := conn.take(protocol.PathAuth)
		if string(m.Data) != `{"token":"given"}` {
			t.Errorf("finch.auth had %s", m.Data)
		}
		conn.Answer(m, "null")
		if err := <-done; err != nil {
			t.Error(err)
		}
		conn.Drop()
		conn, _ = w.greet()
		if got := conn.Handshake.Token(); got != "given" {
			t.Errorf("after Authenticate the client came with %q", got)
		}
	})
}

func TestATokenFunctionThatHangsIsAFailedTry(t *testing.T) {
	inMemory(t, func(w *world) {
		var calls int
		c := w.client(client.Options{Token: func(ctx context.Context) (string, error) {
			if calls++; calls == 1 {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "late", nil
		}})
		begun := time.Now()
		conn := w.open(c)
		if took := time.Since(begun); took < 20*time.Second || took > 25*time.Second {
			t.Errorf("the second try came after %v", took)
		}
		conn.Drop()
	})
}

func TestASignedOutUserStopsTheClient(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{Token: func(context.Context) (string, error) { return "", client.ErrSignedOut }})
		wantError(t, "Connect", c.Connect(context.Background()), client.ErrClosed)
		if s := c.State(); s.Phase != client.Closed || s.Code != 4401 {
			t.Errorf("the state is %+v", s)
		}
	})
}

func TestCloseDoesNotWaitForAServerThatIsSilent(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := w.server.Dial(ctx, network, address)
			return &stuckConn{Conn: nc}, err
		}})
		w.open(c)
		begun := time.Now()
		c.Close()
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

// stuckConn takes what is written after the first two messages, the handshake
// and finch.hello, and does not pass it on, as a network that is cut.
type stuckConn struct {
	net.Conn
	written int
}

func (s *stuckConn) Write(b []byte) (int, error) {
	if s.written++; s.written > 2 {
		return len(b), nil
	}
	return s.Conn.Write(b)
}

func TestAServerThatIsGoneIsNoticed(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		time.Sleep(24 * time.Hour) // a server that answers pings lives
		if c.State().Phase != client.Open {
			t.Fatalf("a connection that lives was given up: %+v", c.State())
		}
		conn.Deaf()
		begun := time.Now()
		ctx, cancel := soon()
		defer cancel()
		conn.Closed(ctx)
		// The server's heartbeat is 25 s; 5 s later the client pings, and waits 10 s.
		if took := time.Since(begun); took > 41*time.Second {
			t.Errorf("the client noticed after %v", took)
		}
		synctest.Wait()
		if s := c.State(); s.Phase != client.Waiting || s.Code != 1006 || !strings.Contains(s.Reason, "sign of life") {
			t.Errorf("the state is %+v", s)
		}
	})
}

func TestAServerThatDoesNotReadIsLeft(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{Heartbeat: -1})
		go c.Connect(context.Background())
		ctx, cancel := soon()
		defer cancel()
		h, err := w.door.Knock(ctx)
		if err != nil {
			t.Fatal(err)
		}
		h.Keep() // no bytes are read from here on, and a pipe has no buffer
		begun := time.Now()
		h, err = w.door.Knock(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 20*time.Second || took > 25*time.Second {
			t.Errorf("the next try came after %v", took)
		}
		h.Drop()
	})
}

func TestACrowdOfClientsComesBackSpread(t *testing.T) {
	inMemory(t, func(w *world) {
		const clients = 500
		for range clients {
			go w.client(client.Options{}).Connect(context.Background())
		}
		var conns []*conn
		for range clients {
			c, _ := w.greet()
			conns = append(conns, c)
		}
		time.Sleep(time.Minute)
		cut := time.Now()
		for _, c := range conns {
			c.Drop()
		}
		tenths := make([]int, 10)
		for range clients {
			c, _ := w.greet()
			waited := c.Handshake.At.Sub(cut)
			if waited > 5*time.Second {
				t.Fatalf("a client came after %v", waited)
			}
			tenths[int(10*waited/(5*time.Second+1))]++
		}
		for i, n := range tenths {
			if n == 0 || n > 2*clients/10 {
				t.Errorf("%d of %d clients came in tenth %d of 5 s: %v", n, clients, i+1, tenths)
			}
		}
	})
}
