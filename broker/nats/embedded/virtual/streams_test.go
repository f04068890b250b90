//go:build !race

package virtual_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// recovers waits, in virtual time, until publishing works again.
func recovers(t *testing.T, b broker.Broker, room, data string) broker.Position {
	t.Helper()
	for range 100 {
		ack, err := b.Publish(t.Context(), room, []byte(data), broker.PublishOptions{Key: data, Publisher: "p"})
		if err == nil {
			return ack.Position
		}
		if !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("a publish without a stream: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("publishing does not work again")
	return broker.Position{}
}

func TestDeletedStreamIsMadeAnewWithAnotherEpoch(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{})
		in := servers.Begin(t, b, "n")
		defer servers.CloseNode(t, b)
		servers.Open(t, b, "r")
		old := servers.Publish(t, b, "r", "1", broker.PublishOptions{})
		conn := servers.Connect(t, s)
		time.Sleep(time.Second) // streams are told apart by when they were made
		for _, stream := range servers.Streams(t, conn, "finch") {
			servers.API(t, conn, "STREAM.DELETE."+stream, nil, nil)
		}
		recovers(t, s.node, "other", "1")
		time.Sleep(time.Second)
		fresh := servers.Publish(t, s.node, "r", "2", broker.PublishOptions{})
		time.Sleep(time.Second)
		if fresh.Epoch == old.Epoch {
			t.Errorf("the epoch is still %q", old.Epoch)
		}
		if in.UncertainCount() == 0 {
			t.Error("nobody was told")
		}
		for _, node := range []broker.Broker{b, s.node} {
			page := servers.Read(t, node, "r", broker.Range{From: old})
			if _, err := page.Follow(old, 0); !errors.Is(err, broker.ErrForked) {
				t.Errorf("the old position: %v", err)
			}
			if head := servers.Open(t, node, "r"); head != fresh {
				t.Errorf("the head is %v, want %v", head, fresh)
			}
		}
		if m := in.Messages("r"); len(m) != 2 || m[1].Position != fresh {
			t.Errorf("what was delivered: %+v", m)
		}
		// And once more: each life of a stream has its own epoch.
		for _, stream := range servers.Streams(t, conn, "finch") {
			servers.API(t, conn, "STREAM.DELETE."+stream, nil, nil)
		}
		recovers(t, b, "other", "2")
		time.Sleep(time.Second)
		if third := servers.Publish(t, b, "r", "3", broker.PublishOptions{}); third.Epoch == fresh.Epoch || third.Epoch == old.Epoch {
			t.Errorf("the third epoch is %q, after %q and %q", third.Epoch, old.Epoch, fresh.Epoch)
		}
	})
}

func TestDeletedStateIsMadeAnew(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{})
		in := servers.Begin(t, b, "n")
		defer servers.CloseNode(t, b)
		share(t, b, "r", 2)
		old := servers.Publish(t, b, "r", "1", broker.PublishOptions{})
		conn := servers.Connect(t, s)
		time.Sleep(time.Second) // the epoch is the time of the stream
		servers.API(t, conn, "STREAM.DELETE.finch_state", nil, nil)
		servers.API(t, conn, "STREAM.DELETE.finch_shares", nil, nil)
		time.Sleep(time.Minute)
		fresh := servers.Publish(t, b, "r", "2", broker.PublishOptions{})
		if n := members(t, s.node, "r"); n != 2 {
			t.Errorf("%d members after both streams were deleted", n)
		}
		servers.API(t, conn, "STREAM.DELETE.finch_shares", nil, nil)
		if err := b.SetShare(t.Context(), "other", 1); !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("a share without a stream: %v", err)
		}
		time.Sleep(time.Minute)
		if fresh.Epoch == old.Epoch || in.UncertainCount() == 0 {
			t.Errorf("the epoch is %q, before %q; told %d times", fresh.Epoch, old.Epoch, in.UncertainCount())
		}
		if n, m := members(t, s.node, "r"), members(t, s.node, "other"); n != 2 || m != 1 {
			t.Errorf("%d and %d members after one of them was", n, m)
		}
		if n := len(s.node.Nodes()); n != 2 {
			t.Errorf("%d nodes", n)
		}
	})
}

// TestNodeFollowsRoomsOfAProfileThatItDoesNotKnow: in a deploy the new nodes
// bring a profile that the old ones were not given.
func TestNodeFollowsRoomsOfAProfileThatItDoesNotKnow(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		old, _ := servers.Wired(s, nats.Options{})
		in := servers.Begin(t, old, "old")
		defer servers.CloseNode(t, old)
		empty := servers.Open(t, old, "r")
		time.Sleep(time.Second)
		fresh, _ := servers.Wired(s, nats.Options{})
		servers.Start(t, fresh, "fresh", broker.Profile{Name: "new", Size: 10})
		time.Sleep(time.Second)
		var all []broker.Position
		for range 3 {
			all = append(all, servers.Publish(t, fresh, "r", "1", broker.PublishOptions{Profile: "new"}))
		}
		time.Sleep(time.Second)
		if got := in.Messages("r"); len(got) != 3 {
			t.Errorf("the old node was delivered %d messages", len(got))
		}
		if head := servers.Open(t, old, "r"); head != all[2] {
			t.Errorf("its head is %v, want %v", head, all[2])
		}
		page := servers.Read(t, old, "r", broker.Range{From: empty, Until: all[2].Offset})
		if after, err := page.Follow(empty, all[2].Offset); err != nil || len(after) != 3 {
			t.Errorf("%d messages follow, %v", len(after), err)
		}
		if _, err := old.Publish(t.Context(), "r", nil, broker.PublishOptions{Profile: "new"}); !errors.Is(err, broker.ErrUnknownProfile) {
			t.Errorf("a publish with a profile that it does not know: %v", err)
		}
		// An operator who deletes what is not used any more makes nobody stumble.
		servers.CloseNode(t, fresh)
		conn := servers.Connect(t, s)
		for p := range 2 {
			servers.API(t, conn, fmt.Sprintf("STREAM.DELETE.finch_h_new_%d", p), nil, nil)
		}
		if _, err := old.Open(t.Context(), []string{"r"}); err == nil {
			t.Log("the stream is not missed at once")
		}
		time.Sleep(10 * time.Second)
		if head := servers.Open(t, old, "r"); !head.IsEmpty() {
			t.Errorf("the head is %v", head)
		}
	})
}

// TestRoomThatChangesItsProfileIsHonest: it should not be done. If it is, nobody
// goes on as if nothing were missing.
func TestRoomThatChangesItsProfileIsHonest(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{})
		servers.Start(t, b, "n", broker.Profile{Name: "other", Size: 10})
		for range 3 {
			servers.Publish(t, b, "busy", "so that the other stream is behind", broker.PublishOptions{})
		}
		first := servers.Publish(t, b, "r", "1", broker.PublishOptions{})
		time.Sleep(time.Second)
		second := servers.Publish(t, b, "r", "2", broker.PublishOptions{Profile: "other"})
		if head := servers.Open(t, b, "r"); head != second {
			t.Errorf("the head is %v, want the last message's %v", head, second)
		}
		if after, err := servers.Read(t, b, "r", broker.Range{From: first}).Follow(first, 0); err == nil {
			t.Errorf("the position in the other stream is followed by %d", len(after))
		}
	})
}

// TestQuietRoomIsKnownBeyondTheAgeOfItsMessages: who comes back to it has missed
// nothing, and is told so, for as long as ForgetAfter says; by a node that has
// the room open, even longer.
func TestQuietRoomIsKnownBeyondTheAgeOfItsMessages(t *testing.T) {
	aged, forgetful := broker.Profile{Size: 10, Age: time.Minute}, nats.Options{ForgetAfter: 20 * time.Minute}
	virtually(t, func(t *testing.T, server world) {
		s, _ := servers.Wired(server, forgetful)
		servers.Start(t, s, "other", aged)
		b, _ := servers.Wired(server, forgetful)
		servers.Start(t, b, "n", aged)
		last := servers.Publish(t, b, "r", "1", broker.PublishOptions{})
		servers.Open(t, b, "r")
		time.Sleep(10 * time.Minute)
		page := servers.Read(t, s, "r", broker.Range{From: last})
		if after, err := page.Follow(last, 0); err != nil || len(after) != 0 || len(page.Messages) != 0 {
			t.Errorf("after 10 minutes: %d messages, %v", len(page.Messages), err)
		}
		servers.Publish(t, b, "r", "2", broker.PublishOptions{})
		page = servers.Read(t, s, "r", broker.Range{From: last})
		if after, err := page.Follow(last, 0); err != nil || len(after) != 1 {
			t.Errorf("a message later: %d, %v", len(after), err)
		}
		last = page.Messages[0].Position
		time.Sleep(22 * time.Minute)
		if head := servers.Open(t, b, "r"); head != last {
			t.Errorf("the node that has it open knows the head %v, want %v", head, last)
		}
		fresh, _ := servers.Wired(server, forgetful)
		servers.Start(t, fresh, "fresh", aged)
		if head := servers.Open(t, fresh, "r"); !head.IsEmpty() || head.Epoch != last.Epoch {
			t.Errorf("a new node knows the head %v", head)
		}
		if _, err := servers.Read(t, fresh, "r", broker.Range{From: last}).Follow(last, 0); err == nil {
			t.Error("a new node says that nothing was missed, and cannot know")
		}
	})
}

// TestEmptyRoomIsWholeWhileItsPositionIsYoung: of a room that was empty nobody
// can say what has come and gone once a message may have left the disk.
func TestEmptyRoomIsWholeWhileItsPositionIsYoung(t *testing.T) {
	for _, ahead := range []time.Duration{0, 25 * time.Minute} {
		t.Run(fmt.Sprint("the node's clock is ahead by ", ahead), func(t *testing.T) { emptyRoomIsWhole(t, ahead) })
	}
}

func emptyRoomIsWhole(t *testing.T, ahead time.Duration) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{ForgetAfter: 30 * time.Minute, Now: func() time.Time { return time.Now().Add(ahead) }})
		servers.Start(t, b, "n", broker.Profile{Size: 10, Age: time.Minute})
		busy := func(d time.Duration) { // messages come and go, so that nothing but time proves anything
			for range int(d / (5 * time.Minute)) {
				time.Sleep(5 * time.Minute)
				servers.Publish(t, b, "busy 1", "1", broker.PublishOptions{})
				servers.Publish(t, b, "busy 2", "1", broker.PublishOptions{})
			}
		}
		busy(45 * time.Minute)
		empty := servers.Open(t, b, "r")
		busy(10 * time.Minute)
		if _, err := servers.Read(t, b, "r", broker.Range{From: empty}).Follow(empty, 0); err != nil {
			t.Errorf("after 10 minutes: %v", err)
		}
		future := empty
		future.Offset += 24 * 60 * 60
		if _, err := servers.Read(t, b, "r", broker.Range{From: future}).Follow(future, 0); err == nil {
			t.Error("a position of tomorrow is good")
		}
		busy(20 * time.Minute)
		if _, err := servers.Read(t, b, "r", broker.Range{From: empty}).Follow(empty, 0); !errors.Is(err, broker.ErrTrimmed) {
			t.Errorf("after half an hour, when messages stay for 30: %v", err)
		}
	})
}

// TestBoundOfBytesProvesLess: what bytes pushed out may have been any room's.
func TestBoundOfBytesProvesLess(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{Namespace: "bound", Partitions: 1, MaxBytes: 200 << 10})
		servers.Start(t, b, "n", broker.Profile{Size: 100, Age: time.Minute})
		servers.Publish(t, b, "gone", "1", broker.PublishOptions{})
		servers.Publish(t, b, "old", "1", broker.PublishOptions{})
		if err := b.Purge(t.Context(), "gone"); err != nil { // the stream does not begin at its beginning
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		empty := servers.Open(t, b, "r")
		time.Sleep(time.Minute)
		all := servers.Publish(t, b, "r", "1", broker.PublishOptions{})
		if after, err := servers.Read(t, b, "r", broker.Range{From: empty}).Follow(empty, all.Offset); err != nil || len(after) != 1 {
			t.Errorf("while there is room: %d messages, %v", len(after), err)
		}
		if page := servers.Read(t, b, "r", broker.Range{}); !page.Spare {
			t.Error("a room with one message is not called short of its size")
		}
		for range 30 {
			servers.Publish(t, b, "flood", string(make([]byte, 10<<10)), broker.PublishOptions{})
		}
		servers.Publish(t, b, "r", "2", broker.PublishOptions{})
		page := servers.Read(t, b, "r", broker.Range{From: empty})
		if after, err := page.Follow(empty, 0); !errors.Is(err, broker.ErrTrimmed) {
			t.Errorf("after the flood: %d messages, %v", len(after), err)
		}
		if page.Spare {
			t.Error("after the flood age alone is said to have trimmed the room")
		}
	})
}

func TestProfileThatChangesChangesItsStreams(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		conn := servers.Connect(t, s)
		for _, size := range []int{10, 3, 500} {
			b, _ := servers.Wired(s, nats.Options{})
			in := &brokertest.Inbox{}
			if err := b.Start(t.Context(), broker.Node{ID: "n", Profiles: []broker.Profile{{Size: size, Age: 48 * time.Hour}}}, in); err != nil {
				t.Fatal(err)
			}
			var info struct {
				Config struct {
					MaxAge time.Duration `json:"max_age"`
					Per    int           `json:"max_msgs_per_subject"`
				}
			}
			servers.API(t, conn, "STREAM.INFO.finch_h_=_1", nil, &info)
			if info.Config.Per != size+1 || info.Config.MaxAge != 48*time.Hour {
				t.Errorf("with a profile of %d the stream is %+v", size, info.Config)
			}
			servers.Publish(t, b, "r", "1", broker.PublishOptions{})
			servers.CloseNode(t, b)
		}
	})
}

// TestClocksMinutesApartHarmNobody: the contract holds for nodes whose clocks
// differ from the server's and from each other's.
func TestClocksMinutesApartHarmNobody(t *testing.T) {
	brokertest.RunVirtual(t, func(t *testing.T) *brokertest.Store {
		s := servers.NewBox(t)
		apart := -5 * time.Minute
		return &brokertest.Store{
			Node: func() broker.Broker {
				apart = -apart
				shift := apart
				b, _ := servers.Wired(s, nats.Options{Now: func() time.Time { return time.Now().Add(shift) }})
				return b
			},
			LoseTail: func(room string, n int) { servers.LoseTail(t, servers.Connect(t, s), "finch", room, n) },
		}
	})
}
