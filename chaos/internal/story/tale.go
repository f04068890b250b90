package story

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// Tell writes the last n events of a room up to a violation, those of the client
// first, if it names one.
func (s *Story) Tell(w io.Writer, v Violation, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[v.Room]
	if r == nil {
		return
	}
	if t := r.tracks[v.Client]; t != nil {
		fmt.Fprintf(w, "  what %s saw in %s:\n", v.Client, v.Room)
		s.tell(w, r, v, n, t)
	}
	fmt.Fprintf(w, "  what happened in %s:\n", v.Room)
	var all []*track
	for _, t := range r.tracks {
		all = append(all, t)
	}
	s.tell(w, r, v, n, all...)
}

type told struct {
	step
	client string
	key    string // of an acknowledgement
}

func (s *Story) tell(w io.Writer, r *room, v Violation, n int, tracks ...*track) {
	var list []told
	for _, t := range tracks {
		for _, st := range t.steps {
			if st.at <= v.At {
				list = append(list, told{step: st, client: t.client})
			}
		}
	}
	if len(tracks) > 1 {
		for _, p := range s.publications {
			if p.Room == r.name && p.point != nil && p.acked <= v.At {
				list = append(list, told{step{at: p.acked, point: p.point}, p.Publisher, p.Key})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	for _, e := range list[max(0, len(list)-n):] {
		switch {
		case e.kind == 0:
			fmt.Fprintf(w, "  %8.3fs %-6s was told that %q is at %s\n", e.at.Seconds(), e.client, e.key, e.point.text)
		default:
			fmt.Fprintf(w, "  %8.3fs %-6s node %d %-9s %s", e.at.Seconds(), e.client, e.node, e.kind, textOf(e.point))
			if e.point != nil && e.kind == Got {
				fmt.Fprintf(w, " %q", e.point.key)
			}
			if e.shown != nil {
				fmt.Fprintf(w, " (showed %s)", e.shown.text)
			}
			fmt.Fprintln(w, "", e.reason)
		}
	}
}
