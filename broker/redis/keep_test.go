package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// TestRoomShowsItsSizeAndNoMore: the list of its messages may be longer.
func TestRoomShowsItsSizeAndNoMore(t *testing.T) {
	const size = 16
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}})
	b := st.node("n", &brokertest.Inbox{}, broker.Profile{Name: "p", Size: size})
	_, messages := redis.RoomKeys(st.options, "r")
	longest := 0
	var first broker.Position
	for i := 1; i <= 5*size; i++ {
		at := publish(t, b, "r", fmt.Sprint(i), broker.PublishOptions{Profile: "p"})
		if i == 1 {
			first = at
		}
		page, err := b.Read(t.Context(), "r", broker.Range{From: first})
		if err != nil {
			t.Fatal(err)
		}
		kept := page.Messages
		want := min(i, size)
		if len(kept) != want || page.Whole != (i <= size+1) {
			t.Fatalf("after %d messages %d are shown, whole: %v", i, len(kept), page.Whole)
		}
		for j, m := range kept {
			if string(m.Data) != fmt.Sprint(i-want+1+j) {
				t.Fatalf("after %d messages the %dth of %d that are shown is %s", i, j, want, m.Data)
			}
		}
		longest = max(longest, st.length(messages))
	}
	if longest != size+size/8 {
		t.Errorf("the list was %d long", longest)
	}
}

// TestWhatIsKeptOutlivesEachMessage: it is not prolonged at each. The server's own
// clock has to pass here.
func TestWhatIsKeptOutlivesEachMessage(t *testing.T) {
	const age, forget, grain = 400 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Millisecond
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}, ForgetAfter: forget})
	b := st.node("n", &brokertest.Inbox{}, broker.Profile{Name: "p", Size: 8, Age: age})
	head, messages := redis.RoomKeys(st.options, "r")
	count, prolonged, shortest, known := 0, 0, age, age+forget
	for end, before := time.Now().Add(4*age), time.Duration(0); time.Now().Before(end); count++ {
		began := time.Now()
		publish(t, b, "r", fmt.Sprint(count), broker.PublishOptions{Profile: "p"})
		left := st.left(messages)
		shortest = min(shortest, left+time.Since(began))
		known = min(known, st.left(head)+time.Since(began))
		if left > before {
			prolonged++
		}
		before = left
	}
	if shortest < age-grain || known < age+forget-grain {
		t.Errorf("after a message it was kept for %v, and the head for %v", shortest, known)
	}
	if prolonged > 40 || prolonged > count/2 { // 33 eighths
		t.Errorf("it was prolonged %d times in %d messages", prolonged, count)
	}
	closed(t, b)
	b = st.node("n2", &brokertest.Inbox{}, broker.Profile{Name: "p", Size: 8, Age: 10 * age})
	began := time.Now()
	publish(t, b, "r", "of another profile", broker.PublishOptions{Profile: "p"})
	left, known := st.left(messages)+time.Since(began), st.left(head)+time.Since(began)
	if left < 10*age-grain || known < 10*age+forget-grain {
		t.Errorf("with another profile the messages are kept for %v, the head for %v", left, known)
	}
}
