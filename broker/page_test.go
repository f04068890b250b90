package broker_test

import (
	"errors"
	"testing"

	"github.com/finch-go/finch/broker"
)

func at(offset, tag uint64) broker.Position {
	return broker.Position{Epoch: "e", Offset: offset, Tag: tag}
}

// message stands at offset, and its tag is its offset plus 100.
func message(offset, prev uint64) broker.Message {
	m := broker.Message{Room: "r", Position: at(offset, offset+100), Prev: prev}
	if prev != 0 && prev != broker.PrevUnknown {
		m.PrevTag = prev + 100
	}
	return m
}

func TestPageFollowsOnlyWhatItProves(t *testing.T) {
	otherEpoch := message(6, 5)
	otherEpoch.Position.Epoch = "f"
	untold := message(6, broker.PrevUnknown)
	numbered := message(6, 5) // its broker knows the offset before, but no tag
	numbered.PrevTag = 0
	forked := message(6, 5)
	forked.PrevTag = 1
	messages := func(m ...broker.Message) []broker.Message { return m }
	tests := []struct {
		name  string
		page  broker.Page
		from  broker.Position
		until uint64
		want  int // messages
		err   error
	}{
		{"the anchor and what follows", broker.Page{Head: at(6, 106), Messages: messages(message(5, 3), message(6, 5))}, at(5, 105), 6, 1, nil},
		{"the anchor alone", broker.Page{Head: at(5, 105), Messages: messages(message(5, 3))}, at(5, 105), 5, 0, nil},
		{"an anchor with another tag", broker.Page{Head: at(6, 106), Messages: messages(message(5, 3), message(6, 5))}, at(5, 1), 6, 0, broker.ErrForked},
		{"another epoch", broker.Page{Head: broker.Position{Epoch: "f", Offset: 5, Tag: 105}}, at(5, 105), 0, 0, broker.ErrForked},
		{"no anchor, but the tag before", broker.Page{Head: at(6, 106), Messages: messages(message(6, 5))}, at(5, 105), 6, 1, nil},
		{"no anchor, another tag before", broker.Page{Head: at(6, 106), Messages: messages(forked)}, at(5, 105), 6, 0, broker.ErrForked},
		{"no anchor, the offset before alone", broker.Page{Head: at(6, 106), Messages: messages(numbered)}, at(5, 105), 6, 0, broker.ErrTrimmed},
		{"no anchor, nothing before known", broker.Page{Head: at(6, 106), Messages: messages(untold), Whole: true}, at(5, 105), 6, 0, broker.ErrTrimmed},
		{"a hole after the position", broker.Page{Head: at(7, 107), Messages: messages(message(7, 6))}, at(5, 105), 7, 0, broker.ErrTrimmed},
		{"a hole between messages", broker.Page{Head: at(8, 108), Messages: messages(message(5, 3), message(6, 5), message(8, 7))}, at(5, 105), 8, 0, broker.ErrStale},
		{"messages of two epochs", broker.Page{Head: at(6, 106), Messages: messages(message(5, 3), otherEpoch)}, at(5, 105), 6, 0, broker.ErrForked},
		{"offsets that do not rise", broker.Page{Head: at(6, 106), Messages: messages(message(5, 3), message(4, 5))}, at(5, 105), 0, 0, broker.ErrStale},
		{"a page that ends early", broker.Page{Head: at(6, 106), Messages: messages(message(5, 3), message(6, 5))}, at(5, 105), 7, 0, broker.ErrStale},
		{"a page that its limit ended", broker.Page{Head: at(9, 109), Messages: messages(message(5, 3), message(6, 5)), More: true}, at(5, 105), 9, 1, nil},
		{"nothing since, the message itself expired", broker.Page{Head: at(5, 105)}, at(5, 105), 5, 0, nil},
		{"another head at the offset", broker.Page{Head: at(5, 1)}, at(5, 105), 5, 0, broker.ErrForked},
		{"all expired", broker.Page{Head: at(9, 109)}, at(5, 105), 9, 0, broker.ErrTrimmed},
		{"from the future", broker.Page{Head: at(5, 105)}, at(9, 109), 0, 0, broker.ErrStale},
		{"empty then, whole", broker.Page{Head: at(2, 102), Messages: messages(message(1, 0), message(2, 1)), Whole: true}, at(0, 0), 2, 2, nil},
		{"empty then, perhaps trimmed", broker.Page{Head: at(2, 102), Messages: messages(message(1, 0), message(2, 1))}, at(0, 0), 2, 0, broker.ErrTrimmed},
		{"empty then and now", broker.Page{Head: at(0, 0), Whole: true}, at(0, 0), 0, 0, nil},
		{"empty then and now, counted on", broker.Page{Head: at(40, 0), Whole: true}, at(7, 0), 0, 0, nil},
		{"empty then and now, perhaps not between", broker.Page{Head: at(40, 0)}, at(7, 0), 0, 0, broker.ErrTrimmed},
		{"empty then, a message stands there now", broker.Page{Head: at(7, 107), Messages: messages(message(7, 0)), Whole: true}, at(7, 0), 0, 0, broker.ErrForked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.page.Follow(tt.from, tt.until)
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || len(got) != tt.want {
				t.Errorf("%d messages, %v; want %d, %v", len(got), err, tt.want, tt.err)
			}
		})
	}
}

func TestUnprovenPageStillHasAChain(t *testing.T) {
	page := broker.Page{Head: at(9, 109), Messages: []broker.Message{message(8, broker.PrevUnknown), message(9, 8)}}
	if got, err := page.FollowUnproven(at(5, 105), 9); err != nil || len(got) != 2 {
		t.Errorf("%d messages, %v", len(got), err)
	}
	page.Messages[1].Prev = 7
	if _, err := page.FollowUnproven(at(5, 105), 9); !errors.Is(err, broker.ErrStale) {
		t.Errorf("a hole gives %v", err)
	}
}

func TestMessageFollowsItsPredecessorAlone(t *testing.T) {
	first, second, untold := message(1, 0), message(4, 1), message(4, broker.PrevUnknown)
	tests := []struct {
		name   string
		m      broker.Message
		before broker.Position
		want   bool
	}{
		{"its predecessor", second, at(1, 101), true},
		{"another message at that offset", second, at(1, 1), false},
		{"a gap", second, at(0, 0), false},
		{"itself", second, at(4, 104), false},
		{"another epoch", second, broker.Position{Epoch: "f", Offset: 1, Tag: 101}, false},
		{"first of an empty room", first, at(0, 0), true},
		{"first again", first, at(1, 101), false},
		{"first, in a room numbered with others", message(9, 0), at(7, 0), false},
		{"untold", untold, at(1, 101), false},
	}
	for _, tt := range tests {
		if got := tt.m.Follows(tt.before); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
