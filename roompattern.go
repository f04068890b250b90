package finch

import (
	"fmt"
	"strings"
)

// roomPattern names many rooms at once: "chat:{id}", "org/{org}/{rest...}". A
// name consists of segments, which ':' and '/' separate; a wildcard stands for
// one whole segment that is not empty, or with three dots at the end for one or
// more. It is the syntax of [http.ServeMux] with one more separator.
type roomPattern struct {
	text     string
	segments []roomSegment
}

// roomSegment is one part of a pattern, with the separator before it.
type roomSegment struct {
	separator byte   // ':' or '/'; 0 for the first
	literal   string // if it is no wildcard
	wildcard  string // the name of one
	rest      bool   // of all that follows
}

const roomSeparators = ":/"

// parseRoomPattern reads a pattern; the error says what is wrong with it.
func parseRoomPattern(text string) (roomPattern, error) {
	p := roomPattern{text: text}
	if err := checkRoomName(text); err != nil {
		return p, err
	}
	seen := map[string]bool{}
	for separator, rest := byte(0), text; ; {
		part, next, after := cutSegment(rest)
		s := roomSegment{separator: separator, literal: part}
		if strings.ContainsAny(part, "{}") {
			name, ok := strings.CutPrefix(part, "{")
			name, ok2 := strings.CutSuffix(name, "}")
			name, s.rest = strings.CutSuffix(name, "...")
			if !ok || !ok2 || name == "" || strings.ContainsAny(name, "{}") {
				return p, fmt.Errorf("%q is neither literal nor a wildcard: a wildcard is a whole part between : and /, such as {id}", part)
			}
			if seen[name] {
				return p, fmt.Errorf("the wildcard {%s} stands twice", name)
			}
			if s.rest && next != 0 {
				return p, fmt.Errorf("{%s...} must be the last part", name)
			}
			seen[name] = true
			s.literal, s.wildcard = "", name
		}
		p.segments = append(p.segments, s)
		if next == 0 {
			return p, nil
		}
		separator, rest = next, after
	}
}

// cutSegment cuts a name behind its first segment; next is the separator, 0 at
// the end.
func cutSegment(name string) (segment string, next byte, after string) {
	i := strings.IndexAny(name, roomSeparators)
	if i < 0 {
		return name, 0, ""
	}
	return name[:i], name[i], name[i+1:]
}

// match reports whether a room's name is of the pattern. With a wildcard's name
// it answers its value.
func (p *roomPattern) match(name, wildcard string) (value string, ok bool) {
	separator, rest := byte(0), name
	for i := range p.segments {
		s := &p.segments[i]
		if s.separator != separator || i > 0 && separator == 0 {
			return "", false
		}
		part, next, after := cutSegment(rest)
		if s.rest {
			part, next, after = rest, 0, ""
		}
		switch {
		case s.wildcard == "" && part != s.literal, s.wildcard != "" && part == "":
			return "", false
		case s.wildcard != "" && s.wildcard == wildcard:
			value = part
		}
		separator, rest = next, after
	}
	return value, separator == 0
}

// A relation of two patterns by the names that they match.
type relation uint8

const (
	disjoint relation = iota
	narrower
	wider
	equal
	overlapping
)

// compare tells how the names that p matches relate to those of q.
func (p *roomPattern) compare(q *roomPattern) relation {
	r := equal
	for i := 0; ; i++ {
		pEnd, qEnd := i == len(p.segments), i == len(q.segments)
		if pEnd || qEnd {
			if pEnd && qEnd {
				return r
			}
			return disjoint // one has more parts; rests have returned already
		}
		a, b := &p.segments[i], &q.segments[i]
		switch {
		case a.separator != b.separator, a.void(b, i+1 == len(q.segments)), b.void(a, i+1 == len(p.segments)):
			return disjoint
		case a.rest && b.rest:
			return r
		case b.rest:
			return r.and(narrower)
		case a.rest:
			return r.and(wider)
		case a.wildcard != "" && b.wildcard != "":
		case a.wildcard != "":
			r = r.and(wider)
		case b.wildcard != "":
			r = r.and(narrower)
		case a.literal != b.literal:
			return disjoint
		}
	}
}

// void tells whether a wildcard has nothing to stand for in the other segment,
// which is the last of its pattern or not.
func (s *roomSegment) void(other *roomSegment, last bool) bool {
	return s.wildcard != "" && other.wildcard == "" && other.literal == "" && (last || !s.rest)
}

// and is the relation of two patterns whose parts relate by r and by s.
func (r relation) and(s relation) relation {
	if r == equal || r == s {
		return s
	}
	return overlapping
}
