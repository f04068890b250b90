package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/protocol"
)

// key returns the key of a finch.publish.
func key(data json.RawMessage) string {
	var p struct{ Key string }
	json.Unmarshal(data, &p)
	return p.Key
}

func TestAnUnknownOutcomeIsSaidAfterAMinute(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		room := w.joined(c, conn)
		begun := time.Now()
		done := start(func() error { _, err := room.Publish(context.Background(), "post", 1, nil); return err })
		go func() { // takes everything and answers nothing, whatever the connection
			for {
				if _, err := conn.Next(context.Background()); err != nil {
					return
				}
			}
		}()
		wantError(t, "Publish", <-done, client.ErrOutcomeUnknown)
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it was said after %v", took)
		}
	})
}

func TestAPublishThatIsGivenUpSaysWhetherItWasSent(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		publish := func(d time.Duration) <-chan error {
			return start(func() error {
				ctx, cancel := context.WithTimeout(context.Background(), d)
				defer cancel()
				_, err := c.Room("chat:7").Publish(ctx, "post", 1, nil)
				return err
			})
		}
		err := <-publish(time.Second) // there is no connection
		wantError(t, "not sent", err, context.DeadlineExceeded)
		if errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("a publish that was never sent has an unknown outcome: %v", err)
		}
		conn := w.open(c)
		room := w.joined(c, conn)
		done := publish(time.Second)
		conn.take(protocol.PathPublish)
		err = <-done
		wantError(t, "sent", err, client.ErrOutcomeUnknown)
		wantError(t, "sent", err, context.DeadlineExceeded)

		p, err := room.StartPublish("post", 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = p.Wait(ctx)
		wantError(t, "Wait", err, context.Canceled)
		m := conn.take(protocol.PathPublish)
		if key(m.Data) != p.Key() {
			t.Errorf("the key is said to be %q, and %q was sent", p.Key(), key(m.Data))
		}
		conn.Answer(m, `{"position":"e.1.a"}`)
		done2, err := p.Wait(context.Background())
		if err != nil || done2.Position != at(1) || done2.Key != p.Key() {
			t.Errorf("the publish went on to %+v, %v", done2, err)
		}
		p, _ = room.StartPublish("post", 3, nil)
		conn.take(protocol.PathPublish)
		c.Close()
		_, err = p.Wait(context.Background())
		wantError(t, "Close", err, client.ErrOutcomeUnknown)
		wantError(t, "Close", err, client.ErrClosed)
	})
}

func TestALateAnswerOfAnEarlierTryCounts(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		room := w.joined(c, conn)
		p, err := room.StartPublish("post", 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		first := conn.take(protocol.PathPublish)
		second := conn.take(protocol.PathPublish) // 10 s later
		if key(first.Data) != key(second.Data) || first.ID == second.ID {
			t.Errorf("%v was tried again as %v", first, second)
		}
		conn.Fail(first, 503, "unavailable") // of a try that is over: says nothing of the second
		synctest.Wait()
		conn.idle()
		conn.Answer(first, `{"position":"e.1.a"}`) // its id was answered
		conn.Answer(second, `{"position":"e.1.a","duplicate":true}`)
		done, err := p.Wait(context.Background())
		if err != nil || done.Position != at(1) {
			t.Errorf("the outcome is %+v, %v", done, err)
		}

		p, _ = room.StartPublish("post", 2, nil)
		first = conn.take(protocol.PathPublish)
		conn.take(protocol.PathPublish)
		conn.Answer(first, `{"position":"e.2.a"}`)
		if done, err := p.Wait(context.Background()); err != nil || done.Position != at(2) {
			t.Errorf("the late answer came to %+v, %v", done, err)
		}
	})
}

func TestWhatCannotBePublishedIsSaidAtOnce(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{QueueBytes: 100_000})
		room := c.Room("chat:7")
		for what, err := range map[string]error{
			"bytes":            second(room.StartPublish("post", []byte{1}, nil)),
			"a function":       second(room.StartPublish("post", func() {}, nil)),
			"no path":          second(room.StartPublish("", 1, nil)),
			"a framework path": second(room.StartPublish("finch.post", 1, nil)),
			"a long key":       second(room.StartPublish("post", 1, &client.PublishOptions{Key: strings.Repeat("k", 129)})),
		} {
			if err == nil {
				t.Errorf("%s can be published", what)
			}
		}
		conn := w.open(c)
		room = w.joined(c, conn)
		big := strings.Repeat("y", 40_000)
		wantError(t, "beyond the server's limit", second(room.StartPublish("post", big+big, nil)), client.ErrTooLarge)
		for range 2 {
			if err := second(room.StartPublish("post", big, nil)); err != nil {
				t.Error(err)
			}
		}
		wantError(t, "beyond the queue", second(room.StartPublish("post", big, nil)), client.ErrQueueFull)
		for range 2 {
			conn.Answer(conn.take(protocol.PathPublish), `{"position":"e.1.a"}`)
		}
		synctest.Wait()
		if err := second(room.StartPublish("post", big, nil)); err != nil {
			t.Errorf("there is room again: %v", err)
		}
		conn.Drop()
		c.Close()
		wantError(t, "after Close", second(room.StartPublish("post", 1, nil)), client.ErrClosed)
	})
}

func second[T any](_ T, err error) error { return err }

func TestAPublishTooLargeForTheNextServerFails(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		room := c.Room("chat:7")
		small, err := room.StartPublish("post", "small", nil)
		if err != nil {
			t.Fatal(err)
		}
		big, err := room.StartPublish("post", strings.Repeat("y", 70_000), nil) // the limit is not known yet
		if err != nil {
			t.Fatal(err)
		}
		conn := w.open(c)
		conn.Answer(conn.take(protocol.PathPublish), `{"position":"e.1.a"}`)
		if _, err := small.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		_, err = big.Wait(context.Background())
		wantError(t, "what waited", err, client.ErrTooLarge)
		conn.idle()
	})
}
