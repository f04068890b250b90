package badday

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/finchtest"
)

// SameID is a test: the second of two nodes of one id is told so, and the first
// goes on.
func (s *Stage) SameID(t *testing.T) {
	first, second := s.node(t, "same", "secret"), s.node(t, "same", "secret")
	if err := first.SocketManager.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ann := enter(t, first, "ann")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	err := second.SocketManager.Start(ctx)
	if err == nil || errors.Is(err, finch.ErrUnavailable) || !strings.Contains(err.Error(), `"same"`) || !strings.Contains(err.Error(), "two nodes must not share one") {
		t.Errorf("Start gives %v after %v", err, time.Since(began))
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	if second.ready() != 503 {
		t.Error("the second one says that it is ready")
	}
	publish(t, ann, "still here", "")
	hears(t, ann, "still here")
}

// OtherSecrets is a test: both nodes warn, and a client that moves begins a new
// session with its rooms.
func (s *Stage) OtherSecrets(t *testing.T) {
	a, b := s.node(t, "a", "one"), s.node(t, "b", "another")
	ann, bob := enter(t, a, "ann"), enter(t, b, "bob")
	until(t, "both warn", func() bool {
		return strings.Contains(a.book.String(), "another Secret") && strings.Contains(b.book.String(), "another Secret")
	})
	ann.Drop()
	publish(t, bob, "missed", "")
	ann.Turn(b)
	if g := ann.Resume(); g.Resumed || g.Reason != "bad_ticket" || g.Ticket == "" {
		t.Errorf("%+v", g)
	}
	hears(t, ann, "missed")
}

// Names is a test: rooms may be called as people like.
func (s *Stage) Names(t *testing.T) {
	a, b := s.node(t, "a", "secret"), s.node(t, "b", "secret")
	ann, bob := enter(t, a, "ann"), enter(t, b, "bob")
	names := []string{
		"plain", "Plain", "a.b", "a.b.c", "*", ">", "a.*", "a.>", "$SYS.x", " ", "two words", ".", "..", ".a", "a.", "{tag}", "a}b{c",
		"100%", `back\slash`, "slash/es", "naïve", "日本語", "گفتگو", "🐦", "=x_", "_", strings.Repeat("é", 128), strings.Repeat("x", 256),
	}
	in := func(n *node, name string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for s := range n.Sockets() {
			if err := s.Join(ctx, name); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
		}
	}
	for _, name := range names {
		in(a, name)
		in(b, name)
	}
	for i, name := range names {
		if _, err := a.Room(name).Publish(t.Context(), "say", fmt.Sprint(i)); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		for _, c := range []*finchtest.Client{ann, bob} {
			var got string
			if r := c.Expect("say", &got); got != fmt.Sprint(i) || r.Room != name {
				t.Errorf("%q: heard %q in %q", name, got, r.Room)
			}
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 257), "a\x00b", "line\nbreak", "\xff"} {
		if _, err := a.Room(bad).Publish(t.Context(), "say", "1"); finch.StatusOf(err) != 422 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Shown is a test: members show so much of themselves that the broker could not
// carry it at once.
func (s *Stage) Shown(t *testing.T) {
	a, b := s.node(t, "a", "secret"), s.node(t, "b", "secret")
	watcher := enter(t, a, "watcher")
	const crowd = 40
	for i := range crowd {
		enter(t, b, fmt.Sprintf("user%02d", i))
	}
	until(t, "all are counted", func() bool { return a.count(t, a.Room(room)) == crowd+1 })
	show(t, b)
	until(t, "all are listed", func() bool {
		long := 0
		for who, err := range a.Room(room).Members(t.Context()) {
			if err == nil && len(who.Data) > shown {
				long++
			}
		}
		return long == crowd
	})
	until(t, "all are shown to who watches", func() bool {
		out, err := finchtest.Request[struct {
			Members []struct{ Data string }
		}](watcher, "finch.presence", map[string]any{"room": room, "watch": true})
		long := 0
		for _, m := range out.Members {
			if len(m.Data) == shown {
				long++
			}
		}
		return err == nil && long == crowd
	})
}

// shown is how much each shows.
const shown = 2 << 10

// show makes everybody on a node show something long.
func show(t *testing.T, n *node) {
	t.Helper()
	for s := range n.Sockets() {
		if err := s.SetPresence(room, strings.Repeat("x", shown)); err != nil {
			t.Fatal(err)
		}
	}
}

// TooLarge is a test: a message that the broker does not carry is refused, and
// harms nobody.
func (s *Stage) TooLarge(t *testing.T) {
	a, _, ann, bob := s.pair(t)
	large := strings.Repeat("x", s.MaxPayload+1)
	if _, _, err := ann.Publish(room, "say", large, "k"); finch.StatusOf(err) != 413 {
		t.Errorf("a client's publish: %v", err)
	}
	if _, err := a.Room(room).Publish(t.Context(), "say", large); !errors.Is(err, finch.ErrTooLarge) {
		t.Errorf("a publish: %v", err)
	}
	if err := a.Room(room).Send("sent", large); !errors.Is(err, finch.ErrTooLarge) {
		t.Errorf("a send: %v", err)
	}
	publish(t, ann, "fits", "")
	hears(t, ann, "fits")
	hears(t, bob, "fits")
	if ann.Ended() || bob.Ended() {
		t.Error("a socket was closed")
	}
}

// Refused is a test: what keeps the broker from starting is what Start of the
// manager and of the app return, soon, and it is in the log once.
func Refused(t *testing.T, b func() broker.Broker, says string) {
	s := &Stage{Broker: b}
	n := s.node(t, "n", "secret")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	if err := n.SocketManager.Start(ctx); err == nil || errors.Is(err, finch.ErrUnavailable) || !strings.Contains(err.Error(), says) || time.Since(began) > 10*time.Second {
		t.Errorf("Start of the manager gives %v after %v", err, time.Since(began))
	}
	if n.ready() != 503 {
		t.Error("the node says that it is ready")
	}
	if _, err := n.Room(room).Publish(t.Context(), "say", "never"); !errors.Is(err, finch.ErrUnavailable) || !strings.Contains(err.Error(), says) {
		t.Errorf("Publish gives %v", err)
	}
	if text := n.book.String(); strings.Count(text, "does not start") != 1 || !strings.Contains(text, says) {
		t.Errorf("the log says %s", text)
	}
	app := finch.NewApp(&finch.AppOptions{Addr: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&book{}, nil))})
	finch.NewSocketManager(&finch.SocketManagerOptions{App: app, Broker: b(), Secret: []byte("secret")})
	if err := app.Start(ctx); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("Start of the app gives %v", err)
	}
}
