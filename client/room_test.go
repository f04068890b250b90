package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/protocol"
)

// reading collects the events of a room, in words, until the loop ends.
func reading(ctx context.Context, room client.Room) (told func() []string, done <-chan error) {
	var all []string
	ended := start(func() error {
		for event, err := range room.Events(ctx) {
			if err != nil {
				return err
			}
			all = append(all, inWords(event))
		}
		return nil
	})
	return func() []string { synctest.Wait(); return all }, ended
}

func inWords(e client.Event) string {
	switch e := e.(type) {
	case *client.Message:
		if e.Position == "" {
			return fmt.Sprintf("%s %s", e.Path, e.Data)
		}
		return string(e.Data)
	case *client.Joined:
		return fmt.Sprintf("joined %s %v %d", e.Position, e.Recovered, e.Missed)
	case *client.Lagged:
		return "lagged"
	case *client.Reset:
		return "reset " + e.Position + " " + e.Reason
	case *client.Left:
		return fmt.Sprintf("left %v", e.Err)
	}
	return "?"
}

func wantWords(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestASlowLoopLagsAndIsCaughtUp(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{RoomQueue: 10})
		conn := w.open(c)
		room := w.joined(c, conn)
		for i := 1; i <= 25; i++ { // nobody reads
			conn.post(i, fmt.Sprint(i))
		}
		conn.Send(protocol.Envelope{Path: "typing", Status: 200, Room: "chat:7"})
		synctest.Wait()
		conn.idle()
		told, _ := reading(context.Background(), room)
		m := conn.take(protocol.PathJoin) // from where it stopped
		if string(m.Data) != `{"room":"chat:7","position":"e.10.a"}` {
			t.Errorf("the client asked %s", m.Data)
		}
		conn.post(26, "26") // before the answer: comes again
		conn.Answer(m, `{"room":"chat:7","position":"e.10.a","recovered":true,"missed":16}`)
		for i := 11; i <= 27; i++ {
			conn.post(i, fmt.Sprint(i))
			synctest.Wait() // the loop keeps up
		}
		want := []string{"joined e.0.a false 0"}
		for i := 1; i <= 10; i++ {
			want = append(want, fmt.Sprint(i))
		}
		want = append(want, "lagged", "joined e.10.a true 16")
		for i := 11; i <= 27; i++ {
			want = append(want, fmt.Sprint(i))
		}
		wantWords(t, told(), want...)
	})
}

func TestALoopMayBeLeftAndBegunAgain(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		room := w.joined(c, conn)
		var got []string
		for i := 1; i <= 10; i++ {
			conn.post(i, fmt.Sprint(i))
		}
		for range 5 {
			n := 0
			for event, err := range room.Events(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, inWords(event))
				if n++; n == 2 {
					break
				}
			}
		}
		wantWords(t, got, "joined e.0.a false 0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	})
}

func TestALoopEndsForAReason(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		room := w.joined(c, conn)
		ctx, cancel := context.WithCancel(context.Background())
		_, done := reading(ctx, room)
		synctest.Wait()
		cancel()
		wantError(t, "the context's end", <-done, context.Canceled)

		_, done = reading(context.Background(), room)
		synctest.Wait()
		left := start(func() error { return room.Leave(context.Background()) })
		m := conn.take(protocol.PathLeave)
		conn.post(1, "1") // on its way
		conn.Answer(m, "null")
		if err := <-left; err != nil {
			t.Error(err)
		}
		wantError(t, "Leave", <-done, nil)
		if n := client.Kept(c); n != 0 {
			t.Errorf("of %d rooms something is kept", n)
		}

		room = w.joined(c, conn)
		told, done := reading(context.Background(), room)
		conn.event(protocol.PathLeft, `{"room":"chat:7","error":{"code":"banned","message":"no"}}`)
		wantError(t, "finch.left", <-done, nil)
		wantWords(t, told(), "joined e.0.a false 0", "left banned: no")
		if n := client.Kept(c); n != 0 {
			t.Errorf("of %d rooms something is kept", n)
		}

		room = w.joined(c, conn)
		_, done = reading(context.Background(), room)
		synctest.Wait()
		c.Close()
		wantError(t, "Close", <-done, client.ErrClosed)
	})
}

func TestALoopThatBeginsLateLearnsHowItEnded(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		room := w.joined(c, conn)
		conn.post(1, "1")
		conn.event(protocol.PathReset, `{"room":"chat:7","position":"f.1.a","reason":"epoch"}`)
		conn.event(protocol.PathLeft, `{"room":"chat:7"}`)
		synctest.Wait()
		told, done := reading(context.Background(), room)
		wantError(t, "the loop", <-done, nil)
		wantWords(t, told(), "joined e.0.a false 0", "1", "reset f.1.a epoch", "left <nil>")
		done2 := start(func() error { _, err := room.Join(context.Background()); return err })
		conn.Fail(conn.take(protocol.PathJoin), 403, "forbidden")
		var e *client.Error
		if err := <-done2; !errors.As(err, &e) || e.Code != "forbidden" {
			t.Errorf("a refused join: %v", err)
		}
		if n := client.Kept(c); n != 0 {
			t.Errorf("of %d rooms something is kept", n)
		}
	})
}

func TestAJoinThatIsGivenUpIsTakenBack(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		done := start(func() error { _, err := c.Room("chat:7").Join(ctx); return err })
		m := conn.take(protocol.PathJoin)
		wantError(t, "Join", <-done, context.DeadlineExceeded)
		leave := conn.take(protocol.PathLeave)
		conn.Answer(m, `{"room":"chat:7","position":"e.1.a"}`)
		conn.Answer(leave, "null")
		synctest.Wait()
		if n := client.Kept(c); n != 0 {
			t.Errorf("of %d rooms something is kept", n)
		}
		conn.Drop()
		if _, hello := w.greet(); hello["rooms"] != nil {
			t.Errorf("finch.hello names %v", hello["rooms"])
		}
	})
}

func TestAJoinThatOthersWaitForIsNotTakenBack(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		join := func(d time.Duration) <-chan error {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			return start(func() error { defer cancel(); _, err := c.Room("chat:7").Join(ctx); return err })
		}
		long := join(time.Hour)
		synctest.Wait()
		wantError(t, "the impatient one", <-join(time.Second), context.DeadlineExceeded)
		conn.admit(at(0))
		wantError(t, "the patient one", <-long, nil)
		conn.idle()
		conn.Drop() // the client is in the room, for all that who asks again during the break
		synctest.Wait()
		wantError(t, "another impatient one", <-join(time.Millisecond), context.DeadlineExceeded)
		if _, hello := w.greet(); hello["rooms"] == nil {
			t.Errorf("finch.hello does not name the room: %v", hello)
		}
	})
}

func TestAnUnavailableRoomIsTriedAgain(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		done := start(func() error { _, err := c.Room("chat:7").Join(context.Background()); return err })
		begun := time.Now()
		for range 5 {
			conn.Fail(conn.take(protocol.PathJoin), 503, "unavailable")
		}
		conn.admit(at(1))
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took < time.Second || took > 80*time.Second {
			t.Errorf("five tries took %v", took)
		}
	})
}

func TestRoomsWithoutALoopAreToldToOnEvent(t *testing.T) {
	inMemory(t, func(w *world) {
		var told []string
		c := w.client(client.Options{OnEvent: func(ctx context.Context, e client.Event) { told = append(told, inWords(e)) }})
		client.On(c, "post", func(ctx context.Context, m *client.Message) error { told = append(told, inWords(m)); return nil })
		conn := w.open(c)
		conn.event("finch.joined", `{"room":"chat:7","position":"e.5.a"}`)
		conn.post(6, "6")
		conn.event(protocol.PathLagged, `{"room":"chat:7"}`)
		conn.post(7, "7")
		conn.event(protocol.PathReset, `{"room":"chat:7","position":"f.1.a","reason":"epoch"}`)
		conn.event(protocol.PathReset, `{"to":"user","position":"u.1.a","reason":"trimmed"}`)
		conn.event("post", strings.Repeat("[", 500)+strings.Repeat("]", 500)) // deeper than most servers take
		conn.event(protocol.PathLeft, `{"room":"chat:7"}`)
		synctest.Wait()
		wantWords(t, told, "joined e.5.a false 0", "6", "lagged", "7", "reset f.1.a epoch", "reset u.1.a trimmed", "post "+strings.Repeat("[", 500)+strings.Repeat("]", 500), "left <nil>")
		if n := client.Kept(c); n != 0 {
			t.Errorf("of %d rooms something is kept", n)
		}
	})
}

func TestManyRoomsFitIntoHello(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{QueueBytes: 4 << 20})
		conn := w.open(c)
		const rooms = 2000
		for i := range rooms {
			go c.Room(fmt.Sprintf("a room with a rather long name, number %d", i)).Join(context.Background())
		}
		for range rooms {
			m := conn.take(protocol.PathJoin)
			conn.Answer(m, `{"position":"abcdefgh.12345678.0123456789abcdef"}`)
		}
		synctest.Wait()
		conn.Drop()
		again := w.accept()
		hello := again.take(protocol.PathHello)
		if len(hello.Text) > 64<<10 {
			t.Errorf("finch.hello has %d bytes", len(hello.Text))
		}
		again.Answer(hello, `{"version":1,"limits":{"message_bytes":65536}}`)
		synctest.Wait()
		joins := 0
		for ctx, cancel := context.WithCancel(context.Background()); ; joins++ {
			cancel()
			if _, err := again.Next(ctx); err != nil {
				break
			}
		}
		if joins == 0 || joins >= rooms {
			t.Errorf("%d of %d rooms were joined one by one", joins, rooms)
		}
	})
}

func TestPresenceIsWatchedAsAWhole(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		room := w.joined(c, conn)
		var seen []string
		done := start(func() error {
			for p, err := range room.WatchPresence(context.Background()) {
				if err != nil {
					return err
				}
				line := fmt.Sprint(p.Count, ":")
				for _, m := range p.Members {
					line += fmt.Sprintf(" %s*%d", m.ID, m.Devices)
				}
				if seen = append(seen, line); len(seen) == 6 {
					return nil
				}
			}
			return nil
		})
		change := func(data string) {
			conn.SendText(fmt.Sprintf(`{"path":"finch.presence","status":200,"room":"chat:7","data":%s}`, data))
		}
		m := conn.take(protocol.PathPresence)
		change(`{"joined":[{"id":"d","devices":1}],"count":3}`) // crosses the answer: is applied behind it
		conn.Answer(m, `{"members":[{"id":"b","devices":1},{"id":"a","devices":2}],"count":2}`)
		synctest.Wait()
		change(`{"joined":[{"id":"c","devices":1}],"left":["b"],"count":2}`)
		synctest.Wait()
		change(`{"joined":[],"count":"nonsense"}`)
		change(`{"updated":[{"id":"c","devices":3}],"count":2}`)
		synctest.Wait()
		change(`{"count":1000,"partial":true}`)
		conn.Answer(conn.take(protocol.PathPresence), `{"members":[{"id":"z","devices":1}],"count":1}`)
		conn.event(protocol.PathLeft, `{"room":"chat:7","error":{"code":"unavailable","message":"later"}}`)
		conn.Answer(conn.take(protocol.PathJoin), `{"room":"chat:7","position":"e.0.a","recovered":true}`)
		conn.Answer(conn.take(protocol.PathPresence), `{"members":[],"count":0}`) // the watch ended with the membership
		if err := <-done; err != nil {
			t.Error(err)
		}
		wantWords(t, seen, "2: a*2 b*1", "3: a*2 b*1 d*1", "2: a*2 c*1 d*1", "2: a*2 c*3 d*1", "1: z*1", "0:")
		m = conn.take(protocol.PathPresence) // nobody watches any more
		if string(m.Data) != `{"room":"chat:7","watch":false,"limit":1}` {
			t.Errorf("the watch was ended with %s", m.Data)
		}
	})
}

func TestARoomThatNobodyReadsIsBounded(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{RoomQueue: 4})
		conn := w.open(c)
		room := w.joined(c, conn)
		for i := range 10_000 {
			conn.event(protocol.PathLagged, `{"room":"chat:7"}`)
			conn.event(protocol.PathReset, fmt.Sprintf(`{"room":"chat:7","position":"e.%d.a","reason":"trimmed"}`, i+1))
			conn.Send(protocol.Envelope{Path: "typing", Status: 200, Room: "chat:7"})
		}
		synctest.Wait()
		told, _ := reading(context.Background(), room)
		got := told()
		if len(got) > 4+64 {
			t.Errorf("%d events waited", len(got))
		}
		if last := got[len(got)-1]; last != "reset e.10000.a trimmed" {
			t.Errorf("the last of them is %s", last)
		}
	})
}

func TestARoomOfTheServersIsLeftOverABreak(t *testing.T) {
	inMemory(t, func(w *world) {
		var told []string
		c := w.client(client.Options{OnEvent: func(ctx context.Context, e client.Event) { told = append(told, inWords(e)) }})
		conn := w.open(c)
		conn.event("finch.joined", `{"room":"chat:7","position":"e.5.a"}`)
		synctest.Wait()
		conn.Drop()
		synctest.Wait()
		left := start(func() error { return c.Room("chat:7").Leave(context.Background()) })
		conn, hello := w.greet()
		if hello["rooms"] != nil {
			t.Errorf("finch.hello names a room that was left: %v", hello)
		}
		conn.event("finch.joined", `{"room":"chat:7","position":"e.5.a"}`) // the ticket lists it
		conn.Answer(conn.take(protocol.PathLeave), "null")
		if err := <-left; err != nil {
			t.Error(err)
		}
		wantWords(t, told, "joined e.5.a false 0")
		if n := client.Kept(c); n != 0 {
			t.Errorf("of %d rooms something is kept", n)
		}
		if err := c.Room("elsewhere").Leave(context.Background()); err != nil {
			t.Errorf("to leave a room one is not in: %v", err)
		}
		room := w.joined(c, conn)
		left = start(func() error { return room.Leave(context.Background()) })
		conn.take(protocol.PathLeave)
		conn.Drop() // with it the membership
		if err := <-left; err != nil {
			t.Errorf("the connection was lost while a room was left: %v", err)
		}
	})
}

func TestPresenceAndHistoryWaitUntilTheClientIsIn(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		room := w.joined(c, conn)
		conn.Drop()
		conn, _ = w.greet()
		present := start(func() error { _, err := room.Presence(context.Background()); return err })
		shown := start(func() error { return room.SetPresence(context.Background(), map[string]bool{"typing": true}) })
		read := start(func() error { _, err := room.History(context.Background(), nil); return err })
		conn.idle()
		conn.event("finch.joined", `{"room":"chat:7","position":"e.0.a","recovered":true}`)
		for range 3 {
			ctx, cancel := soon()
			m, err := conn.Next(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			switch string(m.Data) {
			case `{"room":"chat:7"}`:
				if m.Path == protocol.PathHistory {
					conn.Answer(m, `{"messages":[{"path":"x","binary":"no base64"}]}`)
				} else {
					conn.Answer(m, `["no presence"]`)
				}
			case `{"room":"chat:7","limit":1,"data":{"typing":true}}`:
				conn.Answer(m, `{"members":[],"count":0}`)
			default:
				t.Errorf("the client asked %v", m)
			}
		}
		if err := <-shown; err != nil {
			t.Error(err)
		}
		if err := <-present; err == nil {
			t.Error("an answer that makes no sense is taken for who is there")
		}
		if err := <-read; err == nil {
			t.Error("a message that makes no sense is taken for one")
		}
		if err := room.SetPresence(context.Background(), func() {}); err == nil {
			t.Error("a function is shown to others")
		}
	})
}
