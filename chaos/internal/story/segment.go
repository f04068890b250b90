package story

import (
	"fmt"
	"slices"
	"time"
)

// tooFar is how many messages a server repeats at most to who comes back, and how
// many bytes of data; see docs/protocol.md, Limits.
const tooFar = 500

// A segment is where a client stands within what it was promised.
type segment struct {
	*line
	track   *track
	at      *point // nil: it has not been told
	open    bool   // it has been in, and the promise holds
	since   time.Duration
	seen    map[*point]bool
	keys    map[string]bool
	stopped bool // one violation of a track is enough: the rest follows from it
}

// judgeTrack follows a client through a room.
func (l *line) judgeTrack(t *track) {
	g := &segment{line: l, track: t, seen: map[*point]bool{}, keys: map[string]bool{}}
	for i := range t.steps {
		switch st := &t.steps[i]; st.kind {
		case Joined:
			g.joined(st)
		case Recovered:
			g.recovered(st)
		case Reset:
			g.reset(st)
		case Got, Moved:
			g.moved(st)
		case Left:
			g.open = false
		case Expelled:
			g.broken(st, "expelled", "it was taken out: "+st.reason)
		}
		if g.stopped {
			return
		}
	}
}

func (g *segment) broken(st *step, kind, text string) {
	g.violate(st.at, kind, g.track.client, fmt.Sprintf("%s (node %d)", text, st.node))
	g.stopped = true
}

// begin begins a promise at a point.
func (g *segment) begin(st *step) {
	g.at, g.open, g.since = st.point, true, st.at
	clear(g.seen)
	clear(g.keys)
}

func (g *segment) joined(st *step) {
	if st.shown != nil {
		g.broken(st, "false start", fmt.Sprintf("it showed %s and was let in at %s without a word of what it missed", st.shown.text, textOf(st.point)))
		return
	}
	if g.open && g.at == nil && st.point != nil && !st.point.empty() && !g.story.lossBetween(g.name, g.since, st.at) {
		// It was in the room before anything was published, and had no position to
		// show: what has come since it has missed without a word.
		g.broken(st, "lost", fmt.Sprintf("it was in the empty room and is let in at %s", st.point.text))
		return
	}
	g.begin(st)
}

func (g *segment) recovered(st *step) {
	switch {
	case st.shown == nil:
		g.broken(st, "false recovery", "it is caught up and had shown no position")
	case st.point != st.shown:
		g.broken(st, "false recovery", fmt.Sprintf("it showed %s and goes on from %s", st.shown.text, textOf(st.point)))
	case !g.open:
		g.begin(st) // it had left, and came back with the position of then
	}
}

func (g *segment) reset(st *step) {
	from := g.at
	if st.shown != nil {
		from = st.shown
	}
	if why := g.unjustified(st, from); why != "" {
		g.broken(st, "false reset", fmt.Sprintf("%s at %s, now %s: %s", st.reason, textOf(from), textOf(st.point), why))
		return
	}
	g.begin(st)
}

// unjustified says why a reset should not have been; empty if it should.
func (g *segment) unjustified(st *step, from *point) string {
	if g.story.lossBetween(g.name, g.since, st.at) || from != nil && g.fates[from] != kept {
		return "" // a node may hold for long what the store has lost
	}
	if st.reason == "no_position" && st.shown == nil && (from == nil || !g.open) {
		return "" // it was in an empty room, or has left and does not know that it is in again
	}
	missed := g.between(from, st.point)
	switch st.reason {
	case "trimmed":
		if depth := g.story.depth(g.name); len(missed) < depth {
			return fmt.Sprintf("it had missed %d messages of the %d that the room keeps", len(missed), depth)
		}
	case "too_far":
		if len(missed) < tooFar {
			return fmt.Sprintf("it had missed %d messages", len(missed))
		}
	case "unavailable":
		if !g.story.troubled(st.at) {
			return "the store was well"
		}
	default:
		return "the store has lost nothing"
	}
	return ""
}

// between answers the messages behind one point, up to another.
func (g *segment) between(from, to *point) []*point {
	if to == nil {
		return nil
	}
	points := g.lines[to.epoch]
	var after uint64
	if from != nil && from.epoch == to.epoch {
		after = from.offset
	}
	search := func(offset uint64) int {
		i, _ := slices.BinarySearchFunc(points, offset+1, func(p *point, offset uint64) int {
			if p.offset < offset {
				return -1
			}
			return 1
		})
		return i
	}
	lo, hi := search(after), search(to.offset)
	if lo >= hi {
		return nil
	}
	return points[lo:hi]
}

// moved follows one message, or a place that moved past one.
func (g *segment) moved(st *step) {
	to := st.point
	switch {
	case to == nil:
		return // it is told already
	case !g.open:
		g.broken(st, "stray", fmt.Sprintf("%s came and it is not in the room", to.text))
		return
	case g.seen[to]:
		g.broken(st, "doubled", fmt.Sprintf("%s %q came a second time", to.text, to.key))
		return
	case to.key != "" && g.keys[to.key] && !g.renewed[to.key]:
		g.broken(st, "doubled", fmt.Sprintf("%q came a second time, at %s", to.key, to.text))
		return
	case g.at != nil && g.at.epoch != to.epoch:
		g.broken(st, "no reset", fmt.Sprintf("it stands at %s, and %s came", g.at.text, to.text))
		return
	case g.at != nil && to.offset <= g.at.offset:
		g.broken(st, "reordered", fmt.Sprintf("it stands at %s, and %s %q came", g.at.text, to.text, to.key))
		return
	}
	if g.at != nil && g.fates[g.at] == gone && g.fates[to] == kept {
		if _, by := g.story.fateOf(g.at); to.known > by.Until+by.Slack {
			g.broken(st, "no reset", fmt.Sprintf("the store has lost %s, and %s came as if it followed", g.at.text, to.text))
			return
		}
	}
	g.skipped(st)
	g.excepted(st)
	g.seen[to] = true
	if to.key != "" {
		g.keys[to.key] = true
	}
	g.at = to
}

// skipped finds what should have come before a message. What a node still tells of
// messages that the store has lost is another branch than what is there now.
func (g *segment) skipped(st *step) {
	if g.fates[st.point] != kept {
		return
	}
	for _, p := range g.between(g.at, st.point) {
		if p == st.point || p.offset == st.point.offset || g.fates[p] != kept || g.story.lossBetween(g.name, st.at, p.known) {
			continue // or it took the place of one that was lost, later
		}
		what := "was seen by others"
		if p.acked {
			what = "was acknowledged"
		}
		g.broken(st, "lost", fmt.Sprintf("it stood at %s, then came %s %q: %s %q %s", textOf(g.at), st.point.text, st.point.key, p.text, p.key, what))
		return
	}
}

// excepted checks who must not get a message, and who must.
func (g *segment) excepted(st *step) {
	pub := g.story.publications[st.point.key]
	if pub == nil {
		return
	}
	own := pub.NoEcho && pub.Publisher == g.track.client && pub.Session == int(st.session)
	switch {
	case st.kind == Got && own:
		g.broken(st, "not excepted", fmt.Sprintf("it got its own %q, which it had asked not to get", pub.Key))
	case st.kind == Moved && !own:
		g.broken(st, "withheld", fmt.Sprintf("%q was meant for it, and only its place moved", pub.Key))
	}
}
