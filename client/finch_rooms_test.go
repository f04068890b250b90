package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/client"
)

// pipes is a listener in memory whose connections can be cut.
type pipes struct {
	waiting chan net.Conn
	done    chan struct{}

	mu   sync.Mutex // guards everything below
	open []net.Conn
	cut  int
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.waiting:
		return nc, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(ctx context.Context, network, address string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	p.mu.Lock()
	p.open = append(p.open, mine)
	p.mu.Unlock()
	select {
	case p.waiting <- theirs:
		return mine, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cuts breaks one connection after another until ctx ends.
func (p *pipes) cuts(ctx context.Context, r *rand.Rand) {
	for {
		wait := time.Duration(r.Int64N(int64(200 * time.Millisecond)))
		if r.IntN(40) == 0 {
			wait = 30 * time.Second // beyond what the server holds a session
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		p.mu.Lock()
		if len(p.open) > 0 {
			i := r.IntN(len(p.open))
			p.open[i].Close()
			p.open = slices.Delete(p.open, i, i+1)
			p.cut++
		}
		p.mu.Unlock()
	}
}

// TestARoomOfAFinchServerSurvivesCuts lets clients talk in a room of a real
// server while their connections are cut: each reads all, once and in order.
func TestARoomOfAFinchServerSurvivesCuts(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { cutARoom(t, seed) })
		})
	}
}

func cutARoom(t *testing.T, seed uint64) {
	m := finch.NewSocketManager(&finch.SocketManagerOptions{
		Logger: quiet,
		Authenticate: func(r *http.Request) (finch.Identity, error) {
			return finch.Identity{User: finch.Token(r)}, nil
		},
	})
	m.DeclareRooms("chat:{id}", finch.RoomOptions{HistorySize: 1000, Presence: true, CanJoin: finch.Anybody, CanPublish: finch.AnyMember})
	line := &pipes{waiting: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: m}
	go server.Serve(line)
	ctx, cancel := context.WithCancel(context.Background())
	const people, each = 4, 40
	var published, read sync.WaitGroup
	heard := make([][]string, people)
	names := make([]string, people)
	var clients []*client.Client
	for i := range people {
		c, err := client.New("ws://finch.test/ws", &client.Options{
			Dial: line.dial, Logger: quiet, RetryMax: 5 * time.Second,
			Token: func(context.Context) (string, error) { return fmt.Sprintf("user%d", i), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		if err := c.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		names[i] = c.Name()
		room := c.Room("chat:7")
		if _, err := room.Join(ctx); err != nil {
			t.Fatal(err)
		}
		read.Go(func() {
			for event, err := range room.Events(ctx) {
				if err != nil {
					return
				}
				switch e := event.(type) {
				case *client.Message:
					heard[i] = append(heard[i], fmt.Sprintf("%s %s %s", e.Position, e.From, e.Data))
				case *client.Reset:
					t.Errorf("%d was reset: %s", i, e.Reason)
				}
			}
		})
	}
	for i, c := range clients {
		published.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i+2)))
			for n := range each {
				time.Sleep(time.Duration(r.Int64N(int64(4 * time.Second))))
				if _, err := c.Room("chat:7").Publish(ctx, "line", n, nil); err != nil {
					t.Errorf("%d of %d: %v", n, i, err)
				}
			}
		})
	}
	storm, calm := context.WithCancel(ctx)
	var cutting sync.WaitGroup
	cutting.Go(func() { line.cuts(storm, rand.New(rand.NewPCG(seed, 1))) })
	published.Wait()
	calm()
	cutting.Wait()
	time.Sleep(time.Minute) // everybody comes back

	room := clients[0].Room("chat:7")
	page, err := room.History(context.Background(), &client.HistoryOptions{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	var log []string
	for _, m := range page.Messages {
		log = append(log, fmt.Sprintf("%s %s %s", m.Position, m.From, m.Data))
	}
	if len(log) != people*each {
		t.Errorf("%d messages were published, and %d recorded", people*each, len(log))
	}
	cancel()
	for _, c := range clients {
		c.Close()
	}
	read.Wait()
	for i := range heard {
		if !slices.Equal(heard[i], log) {
			t.Errorf("%d read %d messages, not the %d that were recorded, in order", i, len(heard[i]), len(log))
		}
	}
	t.Logf("%d connections were cut", line.cut)
	if line.cut < 3 {
		t.Errorf("only %d connections were cut", line.cut)
	}
	if names[1] != "user1" {
		t.Errorf("the second client is called %q", names[1])
	}
	close(line.done)
	server.Close()
	m.Shutdown(context.Background())
}
