package embedded_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	natsgo "github.com/nats-io/nats.go"
)

// TestFirstMessageFollowsTheEmptyRoom: nobody need ask whether something came
// before it; and what did come, and was lost on its way, shows.
func TestFirstMessageFollowsTheEmptyRoom(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			c := servers.NewCluster(t, n, nil)
			p := servers.NewProxy(t, c.URL(0))
			reader := nats.New(nats.Options{URL: p.URL(), Logger: servers.Quiet})
			in := servers.Start(t, reader, "reader")
			writer := nats.New(nats.Options{URL: c.URL(n - 1), Logger: servers.Quiet})
			servers.Start(t, writer, "writer")
			p.Losing(func(_, _, data string) bool { return strings.HasPrefix(data, "lost") })
			for i := range 20 {
				room := fmt.Sprint("r", i)
				head := servers.Open(t, reader, room)
				if again := servers.Open(t, reader, room); again != head || !head.IsEmpty() {
					t.Fatalf("the head of an empty room is %v, and then %v", head, again)
				}
				lost := i%2 == 1
				if lost {
					servers.Publish(t, writer, room, "lost", broker.PublishOptions{})
				}
				servers.Publish(t, writer, room, "heard", broker.PublishOptions{})
				servers.Eventually(t, "the message", func() bool { return len(in.Messages(room)) == 1 })
				if m := in.Messages(room)[0]; m.Follows(head) == lost {
					t.Errorf("room %d: the message at %v has predecessor %d; the room was empty at %v", i, m.Position, m.Prev, head)
				}
			}
		})
	}
}

// TestPurgedRoomHasAFirstMessageAgain: it follows where the room stands then, and
// not where it stood in another epoch.
func TestPurgedRoomHasAFirstMessageAgain(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	b := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	in := servers.Start(t, b, "n")
	before := servers.Open(t, b, "r")
	servers.Publish(t, b, "r", "1", broker.PublishOptions{})
	if err := b.Purge(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	after := servers.Open(t, b, "r")
	last := servers.Publish(t, b, "r", "2", broker.PublishOptions{})
	servers.Eventually(t, "the messages", func() bool {
		of := in.Messages("r")
		return len(of) > 0 && of[len(of)-1].Position == last
	})
	of := in.Messages("r")
	if m := of[len(of)-1]; !m.Follows(after) || m.Follows(before) {
		t.Errorf("%+v after %v; before the purge the room stood at %v", m, after, before)
	}
}

// TestHeadOfAnEmptyRoomSaysSinceWhen: what left the disk by age or bytes may have
// come and gone, so that it reaches no further back than messages stay.
func TestHeadOfAnEmptyRoomSaysSinceWhen(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	for _, tt := range []struct {
		name  string
		o     nats.Options
		hours uint64 // back; 0: it does not say
	}{
		{"usual", nats.Options{}, 21},
		{"three days", nats.Options{ForgetAfter: 72 * time.Hour}, 64},
		{"ten minutes", nats.Options{ForgetAfter: 10 * time.Minute}, 0},
		{"bytes", nats.Options{MaxBytes: 1 << 20}, 0},
	} {
		tt.o.URL, tt.o.Namespace, tt.o.Logger = c.URL(0), servers.NewNamespace(), servers.Quiet
		b := nats.New(tt.o)
		servers.Start(t, b, "n")
		heads, err := b.Open(t.Context(), []string{"r"})
		if err != nil {
			t.Fatal(err)
		}
		h := heads[0]
		if tt.hours == 0 && h.Since != 0 || tt.hours != 0 && (h.Position.Offset-h.Since)/3600 != tt.hours {
			t.Errorf("%s: at %d the room has been empty since %d", tt.name, h.Position.Offset, h.Since)
		}
	}
}

// TestPageThatIsEnoughCostsOneQuestion, where the room is open; one that would prove
// nothing is read through the leaders.
func TestPageThatIsEnoughCostsOneQuestion(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	conn, err := natsgo.Connect(c.URL(0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader, writer := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet}), nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, reader, "reader")
	servers.Start(t, writer, "writer")
	empty := servers.Open(t, writer, "r")
	var all []broker.Position
	for i := range 5 {
		all = append(all, servers.Publish(t, writer, "r", fmt.Sprint(i), broker.PublishOptions{}))
	}
	servers.Open(t, reader, "r")
	questions, err := conn.SubscribeSync("$JS.API.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		from broker.Position
		o    broker.Range
		one  bool
	}{
		{"enough", all[1], broker.Range{Until: all[4].Offset, Enough: true}, true},
		{"from where it was empty", empty, broker.Range{Until: all[4].Offset, Enough: true}, true},
		{"not enough", all[1], broker.Range{Until: all[4].Offset}, false},
		{"another tag", broker.Position{Epoch: all[1].Epoch, Offset: all[1].Offset, Tag: 1}, broker.Range{Until: all[4].Offset, Enough: true}, false},
		{"beyond what is known", all[1], broker.Range{Until: all[4].Offset + 1, Enough: true}, false},
	} {
		tt.o.From = tt.from
		reader.Read(t.Context(), "r", tt.o)
		if _, err := conn.Request("$JS.API.INFO", nil, servers.Patience); err != nil { // ends what came before
			t.Fatal(err)
		}
		asked := 0
		for {
			m, err := questions.NextMsg(servers.Patience)
			if err != nil {
				t.Fatal(err)
			}
			if m.Subject == "$JS.API.INFO" {
				break
			}
			asked++
		}
		if asked == 0 || (asked == 1) != tt.one {
			t.Errorf("%s: %d questions", tt.name, asked)
		}
	}
}

// A haltedSink takes no message of a room whose name begins with halt until it is
// let go.
type haltedSink struct {
	brokertest.Inbox
	halted atomic.Int64
	let    chan struct{}
}

func (s *haltedSink) Deliver(m broker.Message) {
	if strings.HasPrefix(m.Room, "halt") {
		s.halted.Add(1)
		<-s.let
	}
	s.Inbox.Deliver(m)
}

// TestMessageFromBeforeAPurgeIsNotTheFirst: it was the first of its room once, waits
// to be delivered, and the room is found empty meanwhile.
func TestMessageFromBeforeAPurgeIsNotTheFirst(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	in := &haltedSink{let: make(chan struct{})}
	let := sync.OnceFunc(func() { close(in.let) })
	reader := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	if err := reader.Start(t.Context(), broker.Node{ID: "reader"}, in); err != nil {
		t.Fatal(err)
	}
	defer servers.CloseNode(t, reader)
	defer let()
	writer := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, writer, "writer")
	servers.Open(t, reader, "r")
	workers := runtime.GOMAXPROCS(0)
	for i := range 16 * workers { // so many that each of them has one
		room := fmt.Sprint("halt", i)
		servers.Open(t, reader, room)
		servers.Publish(t, writer, room, "1", broker.PublishOptions{})
	}
	servers.Eventually(t, "all workers to halt", func() bool { return int(in.halted.Load()) == workers })
	old := servers.Publish(t, writer, "r", "old", broker.PublishOptions{})
	if err := writer.Purge(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	head := servers.Open(t, reader, "r")
	if !head.IsEmpty() || head.Epoch == old.Epoch {
		t.Fatalf("the head after the purge of %v is %v", old, head)
	}
	let()
	first := servers.Publish(t, writer, "r", "new", broker.PublishOptions{})
	servers.Eventually(t, "the messages", func() bool { return len(in.Messages("r")) == 2 })
	of := in.Messages("r")
	if of[0].Follows(head) {
		t.Errorf("%+v, from before the purge, follows %v", of[0], head)
	}
	if of[1].Position != first {
		t.Errorf("the second is %+v, want %v", of[1], first)
	}
}
