package brokertest

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

func pageHasAnchor(f *fixture) {
	b := f.nodes[0]
	all := f.publishSome(b, "r", 8, broker.PublishOptions{})
	head := all[7]
	for i, from := range all {
		page := f.read(b, "r", broker.Range{From: from, Until: head.Offset})
		f.check(page, all[i:]...)
		after, err := page.Follow(from, head.Offset)
		if err != nil || len(after) != 7-i || page.Head != head || page.More {
			f.Errorf("from message %d: %d follow, %v, head %v, more %v", i, len(after), err, page.Head, page.More)
		}
	}
	forged := []broker.Position{
		{Epoch: head.Epoch, Offset: all[3].Offset, Tag: all[3].Tag ^ 1},
		{Epoch: head.Epoch + "x", Offset: all[3].Offset, Tag: all[3].Tag},
		{Epoch: head.Epoch, Offset: math.MaxUint64, Tag: 1},
		{Epoch: head.Epoch, Offset: head.Offset + 1, Tag: 1},
	}
	for _, from := range forged {
		page := f.read(b, "r", broker.Range{From: from})
		if after, err := page.Follow(from, 0); err == nil {
			f.Errorf("the forged position %v is followed by %d messages", from, len(after))
		}
	}
	f.check(f.read(b, "never published to", broker.Range{}))
}

// pageIsEnough: what is enough reaches what the caller knows, from what he knows,
// and no other way; what came later may be missing.
func pageIsEnough(f *fixture) {
	b := f.nodes[0]
	all := f.publishSome(b, "r", 10, broker.PublishOptions{})
	for _, open := range []bool{false, true} {
		if open {
			f.open(b, "r")
		}
		for i, until := range all[1:] {
			from := all[i/2]
			page := f.read(b, "r", broker.Range{From: from, Until: until.Offset, Enough: true})
			after, err := page.Follow(from, until.Offset)
			if n := i + 1 - i/2; err != nil || len(after) < n || after[n-1].Position != until {
				f.Errorf("from %v to %v, open %v: %d messages, %v", from, until, open, len(after), err)
			}
		}
		page := f.read(b, "r", broker.Range{From: all[2], Until: all[9].Offset, Enough: true, Limit: 3})
		f.check(page, all[2:5]...)
		if !page.More {
			f.Error("a page that its limit cut says that there is no more")
		}
		forged := broker.Position{Epoch: all[3].Epoch, Offset: all[3].Offset, Tag: all[3].Tag ^ 1}
		page = f.read(b, "r", broker.Range{From: forged, Until: all[9].Offset, Enough: true})
		if after, err := page.Follow(forged, all[9].Offset); !errors.Is(err, broker.ErrForked) {
			f.Errorf("a forged position is followed by %d messages, %v", len(after), err)
		}
	}
	empty := f.open(b, "t")
	first := f.publishSome(b, "t", 4, broker.PublishOptions{Profile: "short"})
	f.boxes[0].await(f.T, "t", first[3])
	page := f.read(b, "t", broker.Range{From: empty, Until: first[2].Offset, Enough: true})
	if after, err := page.Follow(empty, first[2].Offset); err != nil || len(after) < 3 || after[0].Position != first[0] {
		f.Errorf("what was empty is followed by %d messages, %v", len(after), err)
	}
	// The anchor leaves, and a new head is delivered or not: it proves nothing.
	none := f.open(b, "s")
	few := f.publishSome(b, "s", 9, broker.PublishOptions{Profile: "short"})
	f.boxes[0].await(f.T, "s", few[8])
	for _, from := range []broker.Position{few[1], none} {
		page := f.read(b, "s", broker.Range{From: from, Until: few[8].Offset, Enough: true})
		if after, err := page.Follow(from, few[8].Offset); !errors.Is(err, broker.ErrTrimmed) {
			f.Errorf("the trimmed position %v is followed by %d messages, %v", from, len(after), err)
		}
	}
}

func pageLimits(f *fixture) {
	b := f.nodes[0]
	all := f.publishSome(b, "r", 8, broker.PublishOptions{})
	page := f.read(b, "r", broker.Range{Limit: 3})
	f.check(page, all[:3]...)
	if !page.More || page.Head != all[7] {
		f.Errorf("more %v, head %v", page.More, page.Head)
	}
	var got []broker.Message
	for from := page.Messages[2].Position; ; {
		page = f.read(b, "r", broker.Range{From: from, Until: all[7].Offset, Limit: 3})
		after, err := page.Follow(from, all[7].Offset)
		if err != nil || len(page.Messages) > 3 {
			f.Fatalf("a page of %d: %v", len(page.Messages), err)
		}
		got = append(got, after...)
		if !page.More {
			break
		}
		from = after[len(after)-1].Position
	}
	f.check(broker.Page{Messages: got}, all[3:]...)
	if page := f.read(b, "r", broker.Range{Limit: 8}); page.More || len(page.Messages) != 8 {
		f.Errorf("a limit that is just met: more %v, %d messages", page.More, len(page.Messages))
	}
}

func pageBackwards(f *fixture) {
	b := f.nodes[0]
	all := f.publishSome(b, "r", 8, broker.PublishOptions{})
	page := f.read(b, "r", broker.Range{Newest: true, Limit: 3})
	f.check(page, all[5:]...)
	if !page.More {
		f.Error("the page does not say that there is more")
	}
	page = f.read(b, "r", broker.Range{Before: all[5].Offset, Newest: true, Limit: 3})
	f.check(page, all[2:5]...)
	page = f.read(b, "r", broker.Range{Before: all[2].Offset, Newest: true, Limit: 3})
	f.check(page, all[:2]...)
	if page.More {
		f.Error("the last page says that there is more")
	}
	f.check(f.read(b, "r", broker.Range{Before: all[0].Offset}))
	f.check(f.read(b, "r", broker.Range{From: all[4], Before: all[6].Offset}), all[4:6]...)
	f.check(f.read(b, "r", broker.Range{From: all[6], Before: all[4].Offset}))
}

// trimmedAnchor: only what is proven may be followed. The position right before
// the oldest message may be, by PrevTag; older ones must not.
func trimmedAnchor(f *fixture) {
	b := f.nodes[0]
	all := f.publishSome(b, "r", 20, broker.PublishOptions{Profile: "short"})
	kept := f.read(b, "r", broker.Range{})
	if n := len(kept.Messages); n < 5 || n > 6 {
		f.Fatalf("a history of 5 keeps %d (one more may be kept as an anchor)", n)
	}
	f.check(kept, all[20-len(kept.Messages):]...)
	for i, from := range all {
		page := f.read(b, "r", broker.Range{From: from, Until: all[19].Offset})
		after, err := page.Follow(from, all[19].Offset)
		missing := 20 - len(kept.Messages) - i - 1 // messages that followed and are gone
		switch {
		case missing > 0 && !errors.Is(err, broker.ErrTrimmed):
			f.Errorf("message %d, with %d gone after it: %v", i, missing, err)
		case missing > 0 && page.Whole:
			f.Errorf("message %d: the page calls itself whole with %d gone", i, missing)
		case missing < 0 && err != nil:
			f.Errorf("message %d: %v", i, err)
		case err == nil && len(after) != 19-i:
			f.Errorf("message %d is followed by %d", i, len(after))
		}
		if page.Spare {
			f.Errorf("message %d: a full history says that age alone trimmed it", i)
		}
	}
}

func emptyAtJoin(f *fixture) {
	b := f.nodes[0]
	f.publish(b, "other", "so that a store which counts all rooms together has begun", broker.PublishOptions{})
	empty := f.open(b, "r")
	if !empty.IsEmpty() {
		f.Fatalf("the head of an empty room is %v", empty)
	}
	if _, err := f.read(b, "r", broker.Range{From: empty}).Follow(empty, 0); err != nil {
		f.Errorf("still empty: %v", err)
	}
	all := f.publishSome(b, "r", 3, broker.PublishOptions{Profile: "short"})
	if empty.Offset >= all[0].Offset {
		f.Errorf("an empty room's offset %d is not below its first message's %d", empty.Offset, all[0].Offset)
	}
	page := f.read(b, "r", broker.Range{From: empty, Until: all[2].Offset})
	if after, err := page.Follow(empty, all[2].Offset); err != nil || len(after) != 3 {
		f.Errorf("with all there: %d messages, %v", len(after), err)
	}
	all = append(all, f.publishSome(b, "r", 17, broker.PublishOptions{Profile: "short"})...)
	page = f.read(b, "r", broker.Range{From: empty, Until: all[19].Offset})
	if _, err := page.Follow(empty, all[19].Offset); !errors.Is(err, broker.ErrTrimmed) || page.Whole {
		f.Errorf("with the first ones trimmed: %v, whole %v", err, page.Whole)
	}
}

func noHistory(f *fixture) {
	b := f.nodes[0]
	f.open(b, "r")
	all := f.publishSome(b, "r", 3, broker.PublishOptions{Profile: "none"})
	f.boxes[0].await(f.T, "r", all...)
	page := f.read(b, "r", broker.Range{From: all[2]})
	if after, err := page.Follow(all[2], 0); err != nil || len(after) != 0 || page.Spare {
		f.Errorf("from the head: %d messages, %v, spare %v", len(after), err, page.Spare)
	}
	page = f.read(b, "r", broker.Range{From: all[0]})
	if _, err := page.Follow(all[0], 0); !errors.Is(err, broker.ErrTrimmed) {
		f.Errorf("from the first: %v", err)
	}
}

func messagesAge(f *fixture) {
	b := f.nodes[0]
	aged := broker.PublishOptions{Profile: "aged"}
	head := f.open(b, "r")
	first := f.publish(b, "r", "1", aged)
	f.Advance(40 * time.Second)
	second := f.publish(b, "r", "2", aged)
	f.check(f.read(b, "r", broker.Range{}), first, second)
	f.Advance(40 * time.Second)
	page := f.read(b, "r", broker.Range{From: first, Until: second.Offset})
	f.check(page, second)
	if page.Kept != time.Minute || !page.Spare || page.Whole != (first.Offset == page.Messages[0].Prev) {
		f.Errorf("kept %v, spare %v, whole %v", page.Kept, page.Spare, page.Whole)
	}
	if _, err := f.read(b, "r", broker.Range{From: head}).Follow(head, 0); !errors.Is(err, broker.ErrTrimmed) {
		f.Errorf("from the empty room: %v", err)
	}
	f.Advance(time.Minute)
	page = f.read(b, "r", broker.Range{From: second})
	f.check(page)
	// A store that still knows the head says so; one that does not must not
	// claim that the position is good.
	if _, err := page.Follow(second, 0); (err == nil) != (page.Head == second) {
		f.Errorf("with head %v: %v", page.Head, err)
	}
	third := f.publish(b, "r", "3", aged)
	if third.Epoch == second.Epoch && third.Offset <= second.Offset {
		f.Errorf("%v after %v", third, second)
	}
}

func lostTail(f *fixture) {
	b := f.nodes[0]
	f.open(b, "r")
	all := f.publishSome(b, "r", 6, broker.PublishOptions{})
	f.LoseTail("r", 2)
	heads, _, err := b.Heads(f.ctx, []string{"r"}, "")
	if err != nil || len(heads) != 1 || heads[0].Position != all[3] {
		f.Fatalf("the head is %v, %v; want %v", heads, err, all[3])
	}
	if after, err := f.read(b, "r", broker.Range{From: all[5]}).Follow(all[5], 0); err == nil {
		f.Errorf("the lost position is followed by %d", len(after))
	}
	for range 3 { // the same data as before: the tag must not be made of it alone
		again := f.publish(b, "r", "4", broker.PublishOptions{})
		if slices.Contains(all, again) {
			f.Fatalf("%v stands for two messages", again)
		}
	}
	for _, lost := range all[4:] {
		if after, err := f.read(b, "r", broker.Range{From: lost}).Follow(lost, 0); !errors.Is(err, broker.ErrForked) && !errors.Is(err, broker.ErrTrimmed) {
			f.Errorf("the lost position %v: %d, %v", lost, len(after), err)
		}
	}
	if after, err := f.read(b, "r", broker.Range{From: all[3]}).Follow(all[3], 0); err != nil || len(after) != 3 {
		f.Errorf("the position before: %d, %v", len(after), err)
	}
}

func purge(f *fixture) {
	other, in := f.last()
	f.open(other, "r")
	old := f.publishSome(f.nodes[0], "r", 3, broker.PublishOptions{})
	in.await(f.T, "r", old...)
	if err := f.nodes[0].Purge(f.ctx, "r"); err != nil {
		f.Fatal(err)
	}
	in.until(f.T, "news of the purge", func() bool {
		return slices.ContainsFunc(in.uncertain, func(s broker.Scope) bool { return s.All() || slices.Contains(s.Rooms, "r") })
	})
	page := f.read(other, "r", broker.Range{From: old[1]})
	f.check(page)
	if _, err := page.Follow(old[1], 0); err == nil {
		f.Error("a purged position is still good")
	}
	fresh := f.publish(f.nodes[0], "r", "new", broker.PublishOptions{})
	if fresh.Epoch == old[0].Epoch {
		f.Errorf("the epoch is still %q", fresh.Epoch)
	}
	if _, err := f.read(other, "r", broker.Range{From: old[2]}).Follow(old[2], 0); !errors.Is(err, broker.ErrForked) {
		f.Errorf("the head before the purge: %v", err)
	}
	in.await(f.T, "r", fresh)
}

func headsTellChanges(f *fixture) {
	b, _ := f.last()
	rooms := []string{"quiet", "busy", "empty"}
	quiet := f.publish(f.nodes[0], "quiet", "1", broker.PublishOptions{})
	f.publish(f.nodes[0], "busy", "1", broker.PublishOptions{})
	for _, room := range rooms {
		f.open(b, room)
	}
	heads := func(since broker.Mark) (map[string]broker.Position, broker.Mark) {
		f.Helper()
		changed, next, err := b.Heads(f.ctx, rooms, since)
		if err != nil {
			f.Fatal(err)
		}
		found := map[string]broker.Position{}
		for _, h := range changed {
			if !slices.Contains(rooms, h.Room) {
				f.Fatalf("head of %q was not asked for", h.Room)
			}
			found[h.Room] = h.Position
		}
		return found, next
	}
	found, mark := heads("")
	if len(found) != 3 || found["quiet"] != quiet || !found["empty"].IsEmpty() {
		f.Fatalf("from the beginning: %v", found)
	}
	busy := f.publish(f.nodes[0], "busy", "2", broker.PublishOptions{})
	found, mark = heads(mark)
	if found["busy"] != busy {
		f.Errorf("busy has head %v, want %v", found["busy"], busy)
	}
	if p, ok := found["quiet"]; ok && p != quiet {
		f.Errorf("quiet has head %v", p)
	}
	first := f.publish(f.nodes[0], "empty", "1", broker.PublishOptions{})
	found, mark = heads(mark)
	if found["empty"] != first {
		f.Errorf("empty has head %v, want %v", found["empty"], first)
	}
	if err := f.nodes[0].Purge(f.ctx, "quiet"); err != nil {
		f.Fatal(err)
	}
	if found, _ = heads(mark); found["quiet"].Epoch == quiet.Epoch || found["quiet"].Epoch == "" {
		f.Errorf("after a purge quiet has head %v, before %v", found["quiet"], quiet)
	}
}

func foreignMark(f *fixture) {
	b := f.nodes[0]
	p := f.publish(b, "r", "1", broker.PublishOptions{})
	for _, mark := range []broker.Mark{"", "nonsense", "other.18446744073709551615", "\x00"} {
		heads, _, err := b.Heads(f.ctx, []string{"r"}, mark)
		if err != nil || len(heads) != 1 || heads[0].Position != p {
			f.Errorf("since %q: %v, %v", mark, heads, err)
		}
	}
}
