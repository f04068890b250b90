package brokertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

func publishesFollow(f *fixture) {
	const room = "chat:سلام 1.*>"
	before := time.Now().Add(-time.Hour)
	for _, b := range f.nodes {
		if head := f.open(b, room); !head.IsEmpty() {
			f.Fatalf("an empty room has head %v", head)
		}
	}
	var want []broker.Position
	for i := range 20 {
		b := f.nodes[i%len(f.nodes)]
		want = append(want, f.publish(b, room, fmt.Sprint(i), broker.PublishOptions{Key: fmt.Sprint("k", i), Publisher: "secret", From: "ada"}))
	}
	for i := 1; i < len(want); i++ {
		if want[i].Epoch != want[0].Epoch || want[i].Offset <= want[i-1].Offset || want[i].Tag == want[i-1].Tag {
			f.Fatalf("%v after %v", want[i], want[i-1])
		}
	}
	for n, in := range f.boxes {
		in.await(f.T, room, want...)
		got := map[broker.Position]broker.Message{}
		for _, m := range in.Messages(room) {
			got[m.Position] = m
		}
		for i, p := range want {
			m := got[p]
			if string(m.Data) != fmt.Sprint(i) || m.From != "ada" || m.Key != fmt.Sprint("k", i) || m.At.Before(before) && f.Advance == nil {
				f.Errorf("node %d was delivered %+v as message %d", n, m, i)
			}
			if i > 0 && m.Prev != broker.PrevUnknown && !m.Follows(want[i-1]) {
				f.Errorf("node %d: message %d has predecessor %d, tag %x; want %v", n, i, m.Prev, m.PrevTag, want[i-1])
			}
		}
	}
}

func oneOrder(f *fixture) {
	const room, publishers, each = "busy", 6, 40
	for _, b := range f.nodes {
		f.open(b, room)
	}
	var mu sync.Mutex
	data := map[broker.Position]string{}
	var all []broker.Position
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			last := broker.Position{}
			for i := range each {
				text := fmt.Sprint(p, "-", i)
				ack, err := f.nodes[p%len(f.nodes)].Publish(f.ctx, room, []byte(text), broker.PublishOptions{})
				if err != nil {
					f.Errorf("Publish: %v", err)
					return
				}
				if ack.Position.Offset <= last.Offset {
					f.Errorf("one publisher's %v comes after %v", ack.Position, last)
				}
				last = ack.Position
				mu.Lock()
				data[ack.Position] = text
				all = append(all, ack.Position)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(data) != publishers*each {
		f.Fatalf("%d positions for %d messages", len(data), publishers*each)
	}
	for n, in := range f.boxes {
		in.await(f.T, room, all...)
		for _, m := range in.Messages(room) {
			if data[m.Position] != string(m.Data) {
				f.Errorf("node %d has %q at %v, its publisher %q", n, m.Data, m.Position, data[m.Position])
			}
		}
	}
	page := f.read(f.nodes[0], room, broker.Range{})
	for i, m := range page.Messages {
		if data[m.Position] != string(m.Data) || i > 0 && !m.Follows(page.Messages[i-1].Position) {
			f.Errorf("history has %q at %v after offset %d", m.Data, m.Position, m.Prev)
		}
	}
}

// openMissesNothing opens rooms while another node publishes: whatever comes
// after the head is delivered. (A broker may lose a live message; on the idle
// network of a test it has no excuse.)
func openMissesNothing(f *fixture) {
	b, in := f.last()
	for i := range 30 {
		room := fmt.Sprint("opening-", i)
		begun, done := make(chan struct{}), make(chan []broker.Position, 1)
		go func() {
			var all []broker.Position
			for n := range 20 {
				ack, err := f.nodes[0].Publish(f.ctx, room, []byte{byte(n)}, broker.PublishOptions{})
				if err != nil {
					f.Errorf("Publish: %v", err)
				}
				all = append(all, ack.Position)
				if n == 2 {
					close(begun)
				}
			}
			done <- all
		}()
		<-begun
		head := f.open(b, room)
		var after []broker.Position
		for _, p := range <-done {
			if p.Offset > head.Offset {
				after = append(after, p)
			}
		}
		in.await(f.T, room, after...)
	}
}

func openedAgain(f *fixture) {
	b, in := f.nodes[0], f.boxes[0]
	f.open(b, "r")
	first := f.publish(b, "r", "1", broker.PublishOptions{})
	if head := f.open(b, "r"); head != first {
		f.Fatalf("opened again the head is %v, want %v", head, first)
	}
	heads, err := b.Open(f.ctx, []string{"a", "r", "b"})
	if err != nil || len(heads) != 3 || heads[0].Room != "a" || heads[1].Position != first || heads[2].Room != "b" {
		f.Fatalf("Open: %v, %v", heads, err)
	}
	second := f.publish(b, "r", "2", broker.PublishOptions{})
	in.await(f.T, "r", first, second)
	third := f.publish(b, "r", "3", broker.PublishOptions{})
	in.await(f.T, "r", third)
	if n := len(in.Messages("r")); n != 3 {
		f.Errorf("3 messages were delivered %d times", n)
	}
}

// openedByMany: whatever goes on at the same time, a room that was opened last is
// open.
func openedByMany(f *fixture) {
	b, in := f.last()
	rooms := []string{"a", "b", "c"}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				heads, err := b.Open(f.ctx, rooms)
				if err != nil || len(heads) != len(rooms) {
					f.Errorf("Open: %v, %v", heads, err)
					return
				}
				if g%2 == 0 {
					b.Release(rooms[i%3:])
				}
				if _, err := f.nodes[0].Publish(f.ctx, rooms[i%3], nil, broker.PublishOptions{}); err != nil {
					f.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, room := range rooms {
		head := f.open(b, room)
		last := f.publish(f.nodes[0], room, "last", broker.PublishOptions{})
		in.await(f.T, room, last)
		for _, m := range in.Messages(room) {
			if m.Position == last && m.Prev != broker.PrevUnknown && !m.Follows(head) {
				f.Errorf("the message after %v has predecessor %d", head, m.Prev)
			}
		}
	}
}

// keepsBytes: neither data nor what travels beside it is text to a broker.
func keepsBytes(f *fixture) {
	b, in := f.last()
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	texts := []string{"a: b\r\nc: d\r\n\r\ne", " a ", "=YQ", "\x00", "سلام", all.String(), "\n", "+OK\r\n"}
	for i, text := range texts {
		room := text
		f.open(b, room)
		o := broker.PublishOptions{Key: text, From: texts[(i+1)%len(texts)], Publisher: text}
		p := f.publish(f.nodes[0], room, text, o)
		in.await(f.T, room, p)
		page := f.read(b, room, broker.Range{})
		f.check(page, p)
		for _, m := range append(in.Messages(room), page.Messages...) {
			if m.Room != room || string(m.Data) != text || m.Key != o.Key || m.From != o.From {
				f.Errorf("of %q came %+v", text, m)
			}
		}
		if ack, err := b.Publish(f.ctx, room, []byte(text), o); err != nil || !ack.Duplicate || ack.Position != p {
			f.Errorf("the key %q again: %+v, %v", text, ack, err)
		}
		if err := f.nodes[0].Send(f.ctx, broker.Target{Kind: broker.ToRoom, Name: room}, []byte(text)); err != nil {
			f.Errorf("Send to %q: %v", room, err)
		}
		in.until(f.T, "what was sent", func() bool { return len(in.sent) == i+1 })
		if s := in.sent[i]; s.To.Name != room || string(s.Data) != text {
			f.Errorf("of %q came %+v", text, s)
		}
	}
}

func keyRecordsOnce(f *fixture) {
	other, _ := f.last()
	o := broker.PublishOptions{Key: "k", Publisher: "p", From: "socket 1"}
	first := f.publish(f.nodes[0], "r", "data", o)
	between := f.publish(f.nodes[0], "r", "between", broker.PublishOptions{})
	o.From = "socket 2" // the same user on a new connection
	for _, b := range []broker.Broker{f.nodes[0], other} {
		ack, err := b.Publish(f.ctx, "r", []byte("data"), o)
		if err != nil || !ack.Duplicate || ack.Position != first {
			f.Errorf("the second try gives %+v, %v; want the first one's %v", ack, err, first)
		}
	}
	f.check(f.read(f.nodes[0], "r", broker.Range{}), first, between)
}

func keyHasScope(f *fixture) {
	b := f.nodes[0]
	var want []broker.Position
	for _, o := range []broker.PublishOptions{{Key: "k", Publisher: "p"}, {Key: "k", Publisher: "q"}, {Key: "k"}, {Key: "pk"}, {Publisher: "p"}, {Publisher: "p"}, {}, {}} {
		want = append(want, f.publish(b, "r", "data", o))
	}
	f.check(f.read(b, "r", broker.Range{}), want...)
	f.publish(b, "s", "data", broker.PublishOptions{Key: "k", Publisher: "p"})
	f.publish(b, "rk", "data", broker.PublishOptions{Key: "", Publisher: "p"})
}

func keyReused(f *fixture) {
	b := f.nodes[0]
	o := broker.PublishOptions{Key: "k", Publisher: "p"}
	first := f.publish(b, "r", "data", o)
	for _, data := range []string{"Data", "", "data "} {
		if _, err := b.Publish(f.ctx, "r", []byte(data), o); !errors.Is(err, broker.ErrKeyReused) {
			f.Errorf("other data under the key gives %v", err)
		}
	}
	f.check(f.read(b, "r", broker.Range{}), first)
}

func keyExpires(f *fixture) {
	b := f.nodes[0]
	window := b.Caps().DedupeWindow
	if window < 2*time.Minute {
		f.Errorf("keys are remembered for %v, which is not much longer than a client's minute of retries", window)
	}
	o := broker.PublishOptions{Key: "k", Publisher: "p"}
	first := f.publish(b, "r", "data", o)
	f.Advance(window - 20*time.Second) // a store's own clock may go on meanwhile
	if ack, err := b.Publish(f.ctx, "r", []byte("data"), o); err != nil || ack.Position != first {
		f.Fatalf("before the window ends: %+v, %v", ack, err)
	}
	f.Advance(40 * time.Second)
	f.publish(b, "r", "other data", o)
}
