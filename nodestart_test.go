package finch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/finchtest"
)

// reluctant is a broker that does not start as long as it has a reason.
type reluctant struct {
	broker.Broker
	waits bool // until the context ends, as for a server that is not there
	why   atomic.Pointer[error]
	tries atomic.Int32
}

func newReluctant(why error) *reluctant {
	b := &reluctant{Broker: memory.NewCluster(nil).Node(), waits: errors.Is(why, broker.ErrUnavailable)}
	b.why.Store(&why)
	return b
}

func (b *reluctant) Start(ctx context.Context, n broker.Node, s broker.Sink) error {
	b.tries.Add(1)
	why := b.why.Load()
	if *why == nil {
		return b.Broker.Start(ctx, n, s)
	}
	if b.waits {
		<-ctx.Done()
	}
	return *why
}

func (b *reluctant) mend() { b.why.Store(new(error)) }

// unreached is a broker whose servers are not there.
func unreached() *reluctant {
	return newReluctant(fmt.Errorf("%w: nobody answers", broker.ErrUnavailable))
}

func TestSocketsWaitForABrokerThatIsNotThereYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newLogbook()
		b := unreached()
		m := newChat(&finch.SocketManagerOptions{Broker: b, NodeID: "n", Secret: []byte("secret"), Logger: logger})
		if w := get(readyz(m), "/"); w.Code != 503 || !strings.Contains(w.Body.String(), "broker") {
			t.Errorf("before the broker is there: %d %s", w.Code, w.Body)
		}
		began := time.Now()
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		ann.Hello()
		if took := time.Since(began); took > 0 {
			t.Errorf("a client waits %v for its welcome", took)
		}
		time.Sleep(time.Minute)
		for range 100 {
			began = time.Now()
			_, err := m.Room("chat:7").Publish(t.Context(), "say", "too early")
			if !errors.Is(err, finch.ErrUnavailable) || time.Since(began) > 0 {
				t.Fatalf("a publish gives %v after %v", err, time.Since(began))
			}
		}
		time.Sleep(time.Hour)
		if ann.Ended() {
			t.Fatal("the socket was not kept")
		}
		if n := strings.Count(book.String(), "does not start"); n < 10 || n > 65 {
			t.Errorf("an hour without the broker is logged %d times:\n%.500s", n, book)
		}
		b.mend()
		time.Sleep(time.Minute)
		if w := get(readyz(m), "/"); w.Code != 200 {
			t.Errorf("with the broker: %d %s", w.Code, w.Body)
		}
		joins(t, ann, "chat:7")
		publishes(t, ann, "chat:7", "at last")
		hears(t, ann, "at last")
		if err := m.SendToUser("ann", "say", "for ann"); err != nil {
			t.Fatal(err)
		}
		hears(t, ann, "for ann")
		if n, err := m.Everyone().Count(t.Context()); n != 1 || err != nil {
			t.Errorf("%d sockets are counted, %v", n, err)
		}
		book.wants(t, "the broker has been started")
	})
}

func TestJoinsWaitForTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := unreached()
		m := newChat(&finch.SocketManagerOptions{Broker: b, Secret: []byte("secret")})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		ann.Send("finch.hello", map[string]any{"version": 1, "rooms": map[string]any{"chat:7": nil}})
		time.Sleep(time.Minute)
		b.mend()
		time.Sleep(time.Minute)
		var joined struct{ Room string }
		if ann.Expect("finch.joined", &joined); joined.Room != "chat:7" {
			t.Errorf("joined %q", joined.Room)
		}
		publishes(t, ann, "chat:7", "at last")
		hears(t, ann, "at last")
	})
}

func TestManagerWithoutABrokerShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(&finch.SocketManagerOptions{Broker: unreached(), Secret: []byte("secret")})
		finchtest.Connect(t, m, finch.Identity{User: "ann"})
		began := time.Now()
		if err := m.Shutdown(t.Context()); err != nil || time.Since(began) > time.Second {
			t.Errorf("Shutdown gives %v after %v", err, time.Since(began))
		}
		if err := m.Start(t.Context()); !errors.Is(err, finch.ErrShuttingDown) {
			t.Errorf("Start gives %v", err)
		}
		if _, err := m.Room("r").Publish(t.Context(), "say", "1"); !errors.Is(err, broker.ErrClosed) {
			t.Errorf("Publish gives %v", err)
		}
	})
}

func TestStartSaysWhatKeepsTheBrokerFromStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, _ := newLogbook()
		refused := errors.New("the server refuses the password")
		b := newReluctant(refused)
		m := newChat(&finch.SocketManagerOptions{Broker: b, Secret: []byte("secret"), Logger: logger})
		defer m.Shutdown(t.Context())
		began := time.Now()
		if err := m.Start(t.Context()); !errors.Is(err, refused) || errors.Is(err, finch.ErrUnavailable) || time.Since(began) > 0 {
			t.Errorf("Start gives %v after %v", err, time.Since(began))
		}
		if _, err := m.Room("r").Publish(t.Context(), "say", "1"); !errors.Is(err, finch.ErrUnavailable) || !strings.Contains(err.Error(), "password") {
			t.Errorf("Publish gives %v", err)
		}
		b.mend() // somebody has repaired the servers
		time.Sleep(time.Minute)
		if err := m.Start(t.Context()); err != nil {
			t.Errorf("Start gives %v", err)
		}
		if tries := b.tries.Load(); tries > 5 {
			t.Errorf("it was tried %d times in a minute", tries)
		}
	})
}

func TestStartWaitsAsLongAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, _ := newLogbook()
		b := unreached()
		m := newChat(&finch.SocketManagerOptions{Broker: b, Secret: []byte("secret"), Logger: logger})
		defer m.Shutdown(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		began := time.Now()
		err := m.Start(ctx)
		if took := time.Since(began); !errors.Is(err, finch.ErrUnavailable) || !strings.Contains(err.Error(), "nobody answers") || took != 90*time.Second {
			t.Errorf("Start gives %v after %v", err, took)
		}
	})
}

// A broker in memory has started before who asked for it looks.
func TestStartOfABrokerThatIsThereDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 500 {
			m := newChat(&finch.SocketManagerOptions{})
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			var asking sync.WaitGroup
			for range 8 {
				asking.Go(func() {
					if err := m.Start(ctx); err != nil || time.Since(began) > 0 {
						t.Errorf("manager %d: Start gives %v after %v", i, err, time.Since(began))
					}
				})
			}
			asking.Wait()
			cancel()
			m.Shutdown(t.Context())
		}
	})
}

func TestStartEndsWithItsManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, _ := newLogbook()
		m := newChat(&finch.SocketManagerOptions{Broker: unreached(), Secret: []byte("secret"), Logger: logger})
		time.AfterFunc(time.Second, func() { m.Shutdown(t.Context()) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := m.Start(ctx); !errors.Is(err, finch.ErrShuttingDown) {
			t.Errorf("Start gives %v", err)
		}
	})
}

func TestAppEndsWhoseBrokerWillNeverStart(t *testing.T) {
	refused := errors.New("another node lives that has the id")
	logger, _ := newLogbook()
	app := finch.NewApp(&finch.AppOptions{Addr: "127.0.0.1:0", Logger: logger})
	finch.NewSocketManager(&finch.SocketManagerOptions{App: app, Broker: newReluctant(refused), Secret: []byte("secret")})
	ctx, cancel := context.WithTimeout(t.Context(), finchtest.Patience)
	defer cancel()
	if err := app.Start(ctx); !errors.Is(err, refused) {
		t.Errorf("Start gives %v", err)
	}
}

func TestAppWaitsForABrokerThatIsNotThere(t *testing.T) {
	logger, _ := newLogbook()
	app := finch.NewApp(&finch.AppOptions{Addr: "127.0.0.1:0", Logger: logger})
	b := unreached()
	m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app, Broker: b, Secret: []byte("secret")})
	if w := get(app, "/readyz"); w.Code != 503 {
		t.Errorf("/readyz answers %d", w.Code)
	}
	if w := get(app, "/healthz"); w.Code != 200 {
		t.Errorf("/healthz answers %d", w.Code)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := app.Start(ctx); err != nil {
		t.Errorf("Start gives %v", err)
	}
	if w := get(readyz(m), "/"); w.Code != 503 {
		t.Errorf("/readyz answers %d", w.Code)
	}
}
