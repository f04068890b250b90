package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/cmd/finch/internal/store/servers"
)

// terminal is what a demo has printed.
type terminal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *terminal) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *terminal) says(what string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.text.String(), what)
}

// startDemo serves a demo until the test ends, or stop is called.
func startDemo(t *testing.T, o demoOptions) (addr string, out *terminal, stop func()) {
	t.Helper()
	addr = net.JoinHostPort("127.0.0.1", servers.FreePort(t))
	o.addr, out = addr, new(terminal)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveDemo(ctx, o, out) }()
	servers.Until(t, "the demo is served", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v", err)
		default:
		}
		return out.says("Press Ctrl-C")
	})
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("a clean stop ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return addr, out, stop
}

// chatter is somebody in the lobby.
type chatter struct {
	room  client.Room
	lines chan string
}

func chat(t *testing.T, addr, user string) *chatter {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, "ws://"+addr+"/ws?user="+user, &client.Options{RetryFirst: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p := &chatter{c.Room("chat:lobby"), make(chan string, 100)}
	go func() {
		for event := range p.room.Events(t.Context()) {
			var line demo.ChatLine
			if m, ok := event.(*client.Message); ok && m.Path == "chat.line" && m.Decode(&line) == nil {
				p.lines <- line.Text
			}
		}
	}()
	if _, err := p.room.Join(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *chatter) say(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := p.room.Publish(ctx, "chat.line", demo.ChatLine{Name: "somebody", Text: text}, nil); err != nil {
		t.Fatal(err)
	}
}

func (p *chatter) hears(t *testing.T, text string) {
	t.Helper()
	select {
	case got := <-p.lines:
		if got != text {
			t.Errorf("heard %q, not %q", got, text)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("never heard %q", text)
	}
}

func TestThreeDemosAreOne(t *testing.T) {
	redis := servers.StartRedis(t, servers.FreePort(t))
	for name, o := range map[string]demoOptions{
		"NATS":  {nats: servers.StartNATS(t, &server.Options{JetStream: true})},
		"Redis": {redis: "redis://" + redis.Address},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*chatter
			for _, user := range []string{"ann", "bob", "eve"} {
				addr, out, _ := startDemo(t, o)
				if !out.says("One of the nodes that "+name) || !out.says("--addr localhost:") {
					t.Errorf("it does not say that it is one of several: %s", out.text.String())
				}
				all = append(all, chat(t, addr, user))
			}
			for i, text := range []string{"from the first", "from the second", "from the third"} {
				all[i].say(t, text)
				for _, p := range all {
					p.hears(t, text)
				}
			}
		})
	}
}

func TestABrokerThatIsGoneIsSaidAndComesBack(t *testing.T) {
	redis := servers.StartRedis(t, servers.FreePort(t))
	addr, out, _ := startDemo(t, demoOptions{redis: redis.Address})
	ann := chat(t, addr, "ann")
	ann.say(t, "before")
	ann.hears(t, "before")
	redis.Kill()
	servers.Until(t, "it says that Redis is gone", func() bool { return out.says("Redis does not answer; trying on.") })
	redis.Start()
	ann.say(t, "after") // waits, and is tried again
	ann.hears(t, "after")
	servers.Until(t, "it says that Redis is back", func() bool { return out.says("Redis is back.") })
}

func TestWhatIsSaidOutlivesADemoWithADirectory(t *testing.T) {
	o := demoOptions{data: filepath.Join(t.TempDir(), "data")}
	addr, out, stop := startDemo(t, o)
	if !out.says("What is said is kept in " + o.data) {
		t.Errorf("it says %s", out.text.String())
	}
	chat(t, addr, "ann").say(t, "remember this")
	stop()
	addr, _, _ = startDemo(t, o)
	page, err := chat(t, addr, "bob").room.History(t.Context(), nil)
	if err != nil || len(page.Messages) != 1 || !strings.Contains(string(page.Messages[0].Data), "remember this") {
		t.Errorf("then there is %+v, %v", page.Messages, err)
	}
}

func TestStoresExcludeEachOther(t *testing.T) {
	_, err := run(t.Context(), "demo", "--addr", "localhost:0", "--nats", "localhost", "--redis", "localhost", "--data", "data")
	if err == nil || err.Error() != "--nats and --redis and --data exclude each other: take one of them" {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatIsNotThereEndsTheDemo(t *testing.T) {
	out := new(terminal)
	err := serveDemo(t.Context(), demoOptions{addr: "localhost:0", redis: "127.0.0.1:" + servers.FreePort(t), patience: time.Millisecond}, out)
	if err == nil || !strings.Contains(err.Error(), "nobody answers") || !out.says("trying on for 1ms") || out.says("Finch demo:") {
		t.Errorf("it ended with %v and said %q", err, out.text.String())
	}
}
