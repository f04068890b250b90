package embedded_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// TestSubscriptionThatDiedSilentlyIsFound: the connection works, publishes are
// acknowledged, and nothing that is live comes.
func TestSubscriptionThatDiedSilentlyIsFound(t *testing.T) {
	t.Parallel() // it waits most of its time
	c := servers.NewCluster(t, 1, nil)
	p := servers.NewProxy(t, c.URL(0))
	in := &servers.News{}
	b := nats.New(nats.Options{URL: p.URL(), Logger: servers.Quiet})
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
		t.Fatal(err)
	}
	defer servers.CloseNode(t, b)
	servers.Open(t, b, "r")
	_, before := in.Since(0)
	p.Losing(func(subject, _, _ string) bool { return strings.HasPrefix(subject, "finch.l.") })
	missed := servers.Publish(t, b, "r", "missed", broker.PublishOptions{})
	servers.Eventually(t, "doubt", func() bool {
		came, _ := in.Since(before)
		return len(came) > 0
	})
	p.Losing(nil)
	servers.Eventually(t, "the head, over another connection", func() bool {
		heads, _, err := b.Heads(t.Context(), []string{"r"}, "")
		return err == nil && heads[0].Position == missed
	})
	came, _ := in.Since(before)
	if strings.Contains(strings.Join(came, " "), "message missed") {
		t.Fatal("it was not missed")
	}
	servers.Publish(t, b, "r", "heard", broker.PublishOptions{})
	servers.Eventually(t, "what is live", func() bool { return in.When("message heard", time.Time{}) >= 0 })
}

// TestPageThatIsNotWholeIsReadAgain: a replica sends as fast as it can, and what
// does not fit is lost on the way.
func TestPageThatIsNotWholeIsReadAgain(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	p := servers.NewProxy(t, c.URL(0))
	b := nats.New(nats.Options{URL: p.URL(), Logger: servers.Quiet, Timeout: 2 * time.Second})
	servers.Start(t, b, "n")
	var all []broker.Position
	for i := range 20 {
		all = append(all, servers.Publish(t, b, "r", fmt.Sprint(i), broker.PublishOptions{}))
	}
	for _, tt := range []struct {
		name string
		lost func(sequence string, end bool) bool
	}{
		{"a message in the middle", func(sequence string, _ bool) bool { return sequence == fmt.Sprint(all[7].Offset) }},
		{"the first message", func(sequence string, _ bool) bool { return sequence == fmt.Sprint(all[0].Offset) }},
		{"the last message", func(sequence string, _ bool) bool { return sequence == fmt.Sprint(all[19].Offset) }},
		{"the end", func(_ string, end bool) bool { return end }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			times := 0
			p.Losing(func(subject, header, _ string) bool {
				_, sequence, _ := strings.Cut(header, "Nats-Sequence: ")
				sequence, _, _ = strings.Cut(sequence, "\r\n")
				lost := strings.HasPrefix(subject, "_INBOX") && times < 2 && tt.lost(sequence, strings.Contains(header, "204 EOB"))
				if lost {
					times++
				}
				return lost
			})
			page := servers.Read(t, b, "r", broker.Range{From: all[0], Until: all[19].Offset})
			if after, err := page.Follow(all[0], all[19].Offset); err != nil || len(after) != 19 {
				t.Errorf("%d messages, %v", len(after), err)
			}
			if times != 2 {
				t.Errorf("it was lost %d times", times)
			}
		})
	}
	p.Losing(func(_, header, _ string) bool { return strings.Contains(header, "204 EOB") })
	if page, err := b.Read(t.Context(), "r", broker.Range{}); err == nil {
		t.Errorf("a page of %d whose end never came was returned", len(page.Messages))
	}
	p.Losing(nil)
}

// TestReplicaThatIsBehindIsAskedAgain: a replica answers as if the last messages
// were not there.
func TestReplicaThatIsBehindIsAskedAgain(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	p := servers.NewProxy(t, c.URL(0))
	b := nats.New(nats.Options{URL: p.URL(), Logger: servers.Quiet, Partitions: 1})
	servers.Start(t, b, "n")
	rooms := []string{}
	for i := range 10 {
		rooms = append(rooms, fmt.Sprint(i))
		servers.Publish(t, b, rooms[i], "1", broker.PublishOptions{})
	}
	_, mark, err := b.Heads(t.Context(), rooms, "")
	if err != nil {
		t.Fatal(err)
	}
	last := servers.Publish(t, b, "3", "2", broker.PublishOptions{})
	times := 0
	// Without the messages, and with an end that says so: the sequence is that of
	// some time ago.
	p.Rewriting(func(header string) string {
		at := strings.Index(header, "Nats-UpTo-Sequence: ")
		if at < 0 || times == 2 {
			return header
		}
		times++
		digits := at + len("Nats-UpTo-Sequence: ")
		return header[:digits] + "1" + strings.Repeat("0", 10) + header[digits+11:]
	})
	heads, _, err := b.Heads(t.Context(), rooms, mark)
	if err != nil || len(heads) != 1 || heads[0].Position != last {
		t.Errorf("heads %v, %v; want that of one room, %v", heads, err, last)
	}
	if times != 2 {
		t.Errorf("%d answers were made old", times)
	}

	first := servers.Publish(t, b, "r", "1", broker.PublishOptions{})
	second := servers.Publish(t, b, "r", "2", broker.PublishOptions{})
	third := servers.Publish(t, b, "r", "3", broker.PublishOptions{})
	times = 0
	p.Losing(func(subject, header, _ string) bool {
		return times < 2 && strings.HasPrefix(subject, "_INBOX") && strings.Contains(header, fmt.Sprintf("Nats-Sequence: %d\r", third.Offset))
	})
	p.Rewriting(func(header string) string {
		if times == 2 || !strings.Contains(header, "204 EOB") {
			return header
		}
		times++
		return strings.Replace(header, fmt.Sprint("Nats-Last-Sequence: ", third.Offset), fmt.Sprint("Nats-Last-Sequence: ", second.Offset), 1)
	})
	page := servers.Read(t, b, "r", broker.Range{From: first}) // the caller does not know how far it goes
	if after, err := page.Follow(first, third.Offset); err != nil || len(after) != 2 || page.Head != third {
		t.Errorf("%d messages, %v, head %v", len(after), err, page.Head)
	}
	if times != 2 {
		t.Errorf("%d pages were made old", times)
	}
}

// TestPurgeThatWasNotHeardIsSeen: the news of a purge is lost like any other; who
// asks for heads sees it all the same.
func TestPurgeThatWasNotHeardIsSeen(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	p := servers.NewProxy(t, c.URL(0))
	deafened := nats.New(nats.Options{URL: p.URL(), Logger: servers.Quiet})
	servers.Start(t, deafened, "deafened")
	other := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, other, "other")
	old := servers.Publish(t, other, "r", "1", broker.PublishOptions{})
	_, mark, err := deafened.Heads(t.Context(), []string{"r"}, "")
	if err != nil {
		t.Fatal(err)
	}
	p.Losing(func(subject, _, _ string) bool { return strings.HasPrefix(subject, "finch.w.epoch.") })
	if err := other.Purge(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	heads, _, err := deafened.Heads(t.Context(), []string{"r"}, mark)
	if err != nil || len(heads) != 1 || heads[0].Position.Epoch == old.Epoch {
		t.Errorf("the heads are %v, %v; before the purge %v", heads, err, old)
	}
}

// TestStreamThatTakesNoMessageFailsAtOnce: after one publish was not answered in
// time the others need not wait too.
func TestStreamThatTakesNoMessageFailsAtOnce(t *testing.T) {
	t.Parallel() // it waits most of its time
	c := servers.NewCluster(t, 1, nil)
	p := servers.NewProxy(t, c.URL(0))
	b := nats.New(nats.Options{URL: p.URL(), Logger: servers.Quiet, Timeout: time.Second, Partitions: 1})
	in := &servers.News{}
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
		t.Fatal(err)
	}
	defer servers.CloseNode(t, b)
	p.Losing(func(subject, _, _ string) bool { return strings.HasPrefix(subject, "_INBOX") })
	o := broker.PublishOptions{Key: "k"}
	if _, err := b.Publish(t.Context(), "r", []byte("1"), o); !errors.Is(err, broker.ErrUnknownOutcome) {
		t.Fatalf("a publish without an answer: %v", err)
	}
	for range 100 {
		begun := time.Now()
		if _, err := b.Publish(t.Context(), "r", []byte("2"), broker.PublishOptions{}); !errors.Is(err, broker.ErrUnavailable) || time.Since(begun) > 500*time.Millisecond {
			t.Fatalf("the next one: %v after %v", err, time.Since(begun))
		}
	}
	_, before := in.Since(0)
	p.Losing(nil)
	servers.Eventually(t, "the stream", func() bool {
		ack, err := b.Publish(t.Context(), "r", []byte("1"), o)
		return err == nil && ack.Duplicate
	})
	servers.Eventually(t, "news of it", func() bool {
		came, _ := in.Since(before)
		return slices.Contains(came, "uncertain") && slices.Contains(came, "connected")
	})
	if got := in.States(); !slices.Contains(got, broker.Degraded) {
		t.Errorf("the states were %v", got)
	}
}
