package story_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/chaos/internal/story"
)

// A tale is a small history, told in steps a second apart.
type tale struct {
	*story.Story
	at time.Duration
}

func newTale() *tale {
	return &tale{Story: story.New(func(room string) int {
		if strings.HasPrefix(room, "small") {
			return 3
		}
		return 1000
	})}
}

func (t *tale) tick() time.Duration { t.at += time.Second; return t.at }

// place is a position of an epoch: offsets are ten apart, as a store may skip.
func place(epoch string, n int) string {
	if n == 0 {
		return epoch + ".0.0"
	}
	return fmt.Sprintf("%s.%d.%x", epoch, 10*n, 0xabc0+n)
}

func key(n int) string { return fmt.Sprint("k", n) }

// records publishes a message that is acknowledged.
func (t *tale) records(n int) {
	t.Published(story.Publication{Key: key(n), Room: "r", Publisher: "p", Session: 1, Begun: t.tick()})
	t.Acknowledged(t.tick(), key(n), place("e", n), false)
}

func (t *tale) saw(client string, kind story.Kind, n int) {
	e := story.Event{At: t.tick(), Client: client, Session: 1, Room: "r", Kind: kind, Position: place("e", n)}
	if kind == story.Got {
		e.Key = key(n)
	}
	if kind == story.Recovered {
		e.Shown = e.Position
	}
	t.Saw(e)
}

func (t *tale) resets(client string, shown, to int, reason string) {
	t.Saw(story.Event{At: t.tick(), Client: client, Session: 1, Room: "r", Kind: story.Reset, Position: place("e", to), Shown: place("e", shown), Reason: reason})
}

// judged answers the kinds of what is broken.
func (t *tale) judged() (kinds []string) {
	for _, v := range t.Judge(t.tick(), true) {
		kinds = append(kinds, v.Kind)
	}
	return kinds
}

// honest is a history in which nothing is wrong: a and b are there from the
// start, a is away for a while.
func honest() *tale {
	t := newTale()
	t.saw("a", story.Joined, 0)
	t.saw("b", story.Joined, 0)
	for n := 1; n <= 3; n++ {
		t.records(n)
		t.saw("a", story.Got, n)
		t.saw("b", story.Got, n)
	}
	t.Saw(story.Event{At: t.tick(), Client: "a", Session: 1, Room: "r", Kind: story.Away})
	t.records(4)
	t.saw("b", story.Got, 4)
	t.saw("a", story.Recovered, 3)
	t.saw("a", story.Got, 4)
	return t
}

func TestHonestHistoryIsAccepted(t *testing.T) {
	if kinds := honest().judged(); kinds != nil {
		t.Errorf("found %v", kinds)
	}
}

func TestDoctoredHistoriesAreFound(t *testing.T) {
	tests := []struct {
		name string
		tell func(t *tale)
		want string
	}{
		{"a message that only the others got", func(t *tale) {
			t.records(5)
			t.records(6)
			t.saw("a", story.Got, 5)
			t.saw("a", story.Got, 6)
			t.saw("b", story.Got, 6)
		}, "lost"},
		{"a message that nobody got, between two", func(t *tale) {
			t.records(5)
			t.records(6)
			t.saw("a", story.Got, 6)
			t.saw("b", story.Got, 6)
		}, "lost"},
		{"a last message that nobody got", func(t *tale) { t.records(5) }, "lost"},
		{"a last message that one did not get", func(t *tale) {
			t.records(5)
			t.saw("a", story.Got, 5)
		}, "lost"},
		{"a message twice", func(t *tale) { t.saw("a", story.Got, 4) }, "doubled"},
		{"an old message again after a resume", func(t *tale) {
			t.saw("a", story.Recovered, 4)
			t.saw("a", story.Got, 3)
		}, "doubled"},
		{"a message at two places", func(t *tale) {
			for _, client := range []string{"a", "b"} {
				t.Saw(story.Event{At: t.tick(), Client: client, Session: 1, Room: "r", Kind: story.Got, Position: place("e", 5), Key: key(4)})
			}
		}, "doubled"},
		{"two messages in another order", func(t *tale) {
			t.records(5)
			t.records(6)
			t.saw("a", story.Got, 5)
			t.saw("a", story.Got, 6)
			t.saw("b", story.Got, 6)
			t.saw("b", story.Got, 5)
		}, "lost"}, // the later one came as if there were none between
		{"a place that goes back", func(t *tale) {
			t.saw("c", story.Joined, 4)
			t.Saw(story.Event{At: t.tick(), Client: "c", Session: 1, Room: "r", Kind: story.Got, Position: place("e", 3), Key: key(3)})
		}, "reordered"},
		{"what one client published, in another order", func(t *tale) {
			for n := 5; n <= 6; n++ {
				t.Published(story.Publication{Key: key(n), Room: "r", Publisher: "p", Begun: t.tick()})
			}
			t.Acknowledged(t.tick(), key(6), place("e", 5), false)
			t.Acknowledged(t.tick(), key(5), place("e", 6), false)
			for _, client := range []string{"a", "b"} {
				t.Saw(story.Event{At: t.tick(), Client: client, Session: 1, Room: "r", Kind: story.Got, Position: place("e", 5), Key: key(6)})
				t.Saw(story.Event{At: t.tick(), Client: client, Session: 1, Room: "r", Kind: story.Got, Position: place("e", 6), Key: key(5)})
			}
		}, "reordered"},
		{"a reset although nothing is lost", func(t *tale) { t.resets("a", 4, 4, "tail_lost") }, "false reset"},
		{"trimmed although the room keeps it", func(t *tale) { t.resets("a", 2, 4, "trimmed") }, "false reset"},
		{"too far although it is near", func(t *tale) { t.resets("a", 2, 4, "too_far") }, "false reset"},
		{"unavailable although the store is well", func(t *tale) { t.resets("a", 2, 4, "unavailable") }, "false reset"},
		{"caught up from another place than it showed", func(t *tale) {
			t.Saw(story.Event{At: t.tick(), Client: "a", Session: 1, Room: "r", Kind: story.Recovered, Position: place("e", 4), Shown: place("e", 3)})
		}, "false recovery"},
		{"let in as if it were new", func(t *tale) {
			t.Saw(story.Event{At: t.tick(), Client: "a", Session: 1, Room: "r", Kind: story.Joined, Position: place("e", 4), Shown: place("e", 3)})
		}, "false start"},
		{"another epoch without a reset", func(t *tale) {
			t.Published(story.Publication{Key: "new", Room: "r", Publisher: "p", Begun: t.tick()})
			for _, client := range []string{"a", "b"} {
				t.Saw(story.Event{At: t.tick(), Client: client, Session: 1, Room: "r", Kind: story.Got, Position: place("f", 1), Key: "new"})
			}
		}, "no reset"},
		{"two messages at one place", func(t *tale) {
			t.Published(story.Publication{Key: "other", Room: "r", Publisher: "q", Begun: t.tick()})
			t.Acknowledged(t.tick(), "other", "e.40.beef", false)
		}, "forked"},
		{"its own message that it wanted not to get", func(t *tale) {
			t.Published(story.Publication{Key: key(5), Room: "r", Publisher: "a", Session: 1, NoEcho: true, Begun: t.tick()})
			t.Acknowledged(t.tick(), key(5), place("e", 5), false)
			t.saw("a", story.Got, 5)
			t.saw("b", story.Got, 5)
		}, "not excepted"},
		{"another's message of which only the place comes", func(t *tale) {
			t.records(5)
			t.saw("a", story.Moved, 5)
			t.saw("b", story.Got, 5)
		}, "withheld"},
		{"a message that nobody published", func(t *tale) {
			for _, client := range []string{"a", "b"} {
				t.saw(client, story.Got, 5)
			}
		}, "invented"},
		{"taken out of the room", func(t *tale) {
			t.Saw(story.Event{At: t.tick(), Client: "a", Session: 1, Room: "r", Kind: story.Expelled, Reason: "forbidden"})
		}, "expelled"},
		{"a message behind the end of a stay", func(t *tale) {
			t.Saw(story.Event{At: t.tick(), Client: "a", Session: 1, Room: "r", Kind: story.Left})
			t.records(5)
			t.saw("a", story.Got, 5)
			t.saw("b", story.Got, 5)
		}, "stray"},
		{"something missed in the time of an empty room", func(t *tale) {
			t.Saw(story.Event{At: t.tick(), Client: "c", Session: 1, Room: "r", Kind: story.Joined})
			t.Saw(story.Event{At: t.tick(), Client: "c", Session: 1, Room: "r", Kind: story.Joined, Position: place("e", 4)})
		}, "lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tale := honest()
			tt.tell(tale)
			kinds := tale.judged()
			if len(kinds) == 0 {
				t.Fatalf("nothing was found, want %q", tt.want)
			}
			for _, kind := range kinds {
				if kind == tt.want {
					return
				}
			}
			t.Errorf("found %q, want %q among them", kinds, tt.want)
		})
	}
}

func TestJustifiedResetsAreAccepted(t *testing.T) {
	t.Run("trimmed", func(t *testing.T) {
		tale := newTale()
		at := func(client string, kind story.Kind, n, shown int, reason string) {
			e := story.Event{At: tale.tick(), Client: client, Session: 1, Room: "small", Kind: kind, Position: place("e", n), Reason: reason}
			if kind == story.Got {
				e.Key = key(n)
			}
			if shown > 0 {
				e.Shown = place("e", shown)
			}
			tale.Saw(e)
		}
		record := func(n int) {
			tale.Published(story.Publication{Key: key(n), Room: "small", Publisher: "p", Begun: tale.tick()})
			tale.Acknowledged(tale.tick(), key(n), place("e", n), false)
		}
		record(1)
		at("a", story.Joined, 1, 0, "")
		for n := 2; n <= 5; n++ {
			record(n)
		}
		at("a", story.Reset, 5, 1, "trimmed")
		if kinds := tale.judged(); kinds != nil {
			t.Errorf("found %v", kinds)
		}
	})
	t.Run("unavailable in a time of trouble", func(t *testing.T) {
		tale := honest()
		end := tale.Troubled(tale.tick())
		end(tale.tick())
		tale.resets("a", 4, 4, "unavailable")
		if kinds := tale.judged(); kinds != nil {
			t.Errorf("found %v", kinds)
		}
	})
}

// TestRoomOfAnotherSessionHasNoPosition: the server had joined a client to a room that
// began another session, and the client came back before it was told.
func TestRoomOfAnotherSessionHasNoPosition(t *testing.T) {
	for _, row := range []struct {
		left bool
		want []string
	}{{true, nil}, {false, []string{"false reset"}}} {
		tale := honest()
		if row.left {
			tale.Saw(story.Event{At: tale.tick(), Client: "a", Session: 1, Room: "r", Kind: story.Left})
		}
		tale.Saw(story.Event{At: tale.tick(), Client: "a", Session: 2, Room: "r", Kind: story.Reset, Position: place("e", 4), Reason: "no_position"})
		if kinds := tale.judged(); !slices.Equal(kinds, row.want) {
			t.Errorf("left: %v: found %v, want %v", row.left, kinds, row.want)
		}
	}
}

// rolledBack is an honest history whose store then forgets message 4.
func rolledBack() *tale {
	t := honest()
	after := t.at - 6500*time.Millisecond // before message 4 was known
	t.Lost(story.Loss{After: after, Until: t.tick(), Slack: 10 * time.Millisecond})
	return t
}

// instead records another message where the lost one was.
func (t *tale) instead() {
	t.Published(story.Publication{Key: "new", Room: "r", Publisher: "p", Begun: t.tick()})
	t.Acknowledged(t.tick(), "new", "e.40.beef", false)
}

func (t *tale) gotInstead(client string) {
	t.Saw(story.Event{At: t.tick(), Client: client, Session: 1, Room: "r", Kind: story.Got, Position: "e.40.beef", Key: "new"})
}

func TestLossThatIsToldIsAccepted(t *testing.T) {
	tale := rolledBack()
	tale.resets("a", 4, 3, "ahead")
	tale.resets("b", 4, 3, "ahead")
	tale.instead()
	tale.gotInstead("a")
	tale.gotInstead("b")
	if kinds := tale.judged(); kinds != nil {
		t.Errorf("found %v", kinds)
	}
}

func TestLossThatIsNotToldIsFound(t *testing.T) {
	tests := []struct {
		name string
		tell func(t *tale)
	}{
		{"at once", func(t *tale) {
			t.resets("a", 4, 3, "ahead")
			t.instead()
			t.gotInstead("a")
			t.gotInstead("b")
		}},
		{"when the store has gone further than it was", func(t *tale) {
			t.resets("a", 4, 3, "ahead")
			t.instead()
			t.gotInstead("a")
			t.records(5)
			t.saw("a", story.Got, 5)
			t.saw("b", story.Got, 5)
		}},
		{"in a room where nothing more is published", func(t *tale) {
			t.resets("a", 4, 3, "ahead")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tale := rolledBack()
			tt.tell(tale)
			if kinds := tale.judged(); len(kinds) == 0 {
				t.Error("nothing was found")
			}
		})
	}
}

func TestStoryOfABrokenRoomIsTold(t *testing.T) {
	tale := honest()
	tale.saw("a", story.Got, 4)
	found := tale.Judge(tale.at, true)
	if len(found) == 0 {
		t.Fatal("nothing was found")
	}
	var b strings.Builder
	tale.Tell(&b, found[0], 5)
	if text := b.String(); !strings.Contains(text, "recovered e.30.abc3 (showed e.30.abc3)") || strings.Count(text, "\n") != 12 {
		t.Errorf("told:\n%s", text)
	}
}

// TestKeyThatCameAgainAfterItsMessageWasTrimmed: only a server that was started in
// between has forgotten it, and only with the message.
func TestKeyThatCameAgainAfterItsMessageWasTrimmed(t *testing.T) {
	for name, c := range map[string]struct {
		between   int
		restarted bool
		found     bool
	}{
		"the room has moved on, a server was started": {3, true, false},
		"the room still has it":                       {2, true, true},
		"no server was started":                       {3, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, at := newTale(), time.Duration(0)
			see := func(kind story.Kind, n int, key string) {
				at += time.Second
				s.Saw(story.Event{At: at, Client: "a", Session: 1, Room: "small", Kind: kind, Position: place("e", n), Key: key})
			}
			publish := func(key string) {
				at += time.Second
				s.Published(story.Publication{Key: key, Room: "small", Publisher: key, Session: 1, Begun: at})
			}
			see(story.Joined, 0, "")
			publish("again")
			see(story.Got, 1, "again")
			for n := range c.between {
				publish(key(n))
				see(story.Got, 2+n, key(n))
				s.Acknowledged(at, key(n), place("e", 2+n), false)
			}
			if c.restarted {
				s.Restarted(at)
			}
			see(story.Got, 2+c.between, "again")
			s.Acknowledged(at, "again", place("e", 2+c.between), false)
			if found := s.Judge(at+time.Second, true); (len(found) > 0) != c.found {
				t.Errorf("found %v", found)
			}
		})
	}
}

// TestLossOfSomeRoomsIsNoExcuseForOthers: a master that dies takes its own rooms
// with it, and what a promotion may have lost is uncertain.
func TestLossOfSomeRoomsIsNoExcuseForOthers(t *testing.T) {
	for name, c := range map[string]struct {
		rooms   func(string) bool
		perhaps bool
		want    string
	}{
		"of this room":         {nil, false, ""},
		"of this room perhaps": {nil, true, ""},
		"of another room":      {func(room string) bool { return room == "other" }, false, "false reset"},
	} {
		t.Run(name, func(t *testing.T) {
			s := honest()
			s.Lost(story.Loss{After: s.at - 3500*time.Millisecond, Until: s.at, Slack: 500 * time.Millisecond, Rooms: c.rooms, Perhaps: c.perhaps})
			s.resets("a", 4, 3, "tail_lost")
			s.resets("b", 4, 3, "tail_lost")
			if kinds := strings.Join(s.judged(), " "); !strings.HasPrefix(kinds, c.want) || c.want == "" && kinds != "" {
				t.Errorf("found %q", kinds)
			}
		})
	}
}
