package docs

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"slices"
	"strings"
)

// BehindNote is the line that a Persian page shows its readers while it is
// behind the English page that it follows.
const BehindNote = "> **توجه:** این صفحه از نسخهٔ انگلیسی عقب است و به‌زودی به‌روز می‌شود."

var followsLine = regexp.MustCompile(`^<!-- follows: (\S+) sha256:([0-9a-f]{64}) -->$`)

// topLines is how far from the top of a page its follows line and its note may stand.
const topLines = 12

func isPersian(name string) bool {
	return strings.HasPrefix(name, "docs/fa/") || strings.HasSuffix(name, ".fa.md")
}

// followed is the English page that a Persian page follows.
func followed(name string) string {
	if rest, ok := strings.CutPrefix(name, "docs/fa/"); ok {
		return "docs/en/" + rest
	}
	return strings.TrimSuffix(name, ".fa.md") + ".md"
}

// contentHash leaves out the code that markers bring in: both languages include
// the same, so a change of it leaves no translation behind.
func (p *page) contentHash() string {
	var kept []string
	next := 0
	for _, b := range p.blocks {
		if b.marker >= 0 && b.open >= 0 {
			kept = append(kept, p.lines[next:b.open+1]...)
			next = b.close
		}
	}
	kept = append(kept, p.lines[next:]...)
	sum := sha256.Sum256([]byte(strings.Join(kept, "\n")))
	return hex.EncodeToString(sum[:])
}

// followsAt finds the follows line; -1 if the first lines have none.
func (p *page) followsAt() (line int, english, hash string) {
	for i, text := range p.lines[:min(topLines, len(p.lines))] {
		if m := followsLine.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
			return i, m[1], m[2]
		}
	}
	return -1, "", ""
}

func (p *page) noteAt() int { return slices.Index(p.lines, BehindNote) }

// checkPairs sees that both languages have the same pages, and that each
// Persian page is up to date or says that it is not.
func checkPairs(pages []*page) {
	byPath := map[string]*page{}
	for _, p := range pages {
		byPath[p.path] = p
	}
	for _, p := range pages {
		if rest, ok := strings.CutPrefix(p.path, "docs/en/"); ok && byPath["docs/fa/"+rest] == nil {
			p.faults = append(p.faults, Fault{p.path, 0, "there is no docs/fa/" + rest + ": both languages have the same pages"})
		}
		if !isPersian(p.path) {
			continue
		}
		english := byPath[followed(p.path)]
		if english == nil {
			p.faults = append(p.faults, Fault{p.path, 0, "there is no " + followed(p.path) + ": both languages have the same pages"})
			continue
		}
		checkFollows(p, english)
	}
}

func checkFollows(p, english *page) {
	accept := "go test ./internal/docs -accept " + p.path
	at, named, hash := p.followsAt()
	note := p.noteAt()
	switch {
	case at < 0:
		p.fault(0, "the first lines lack <!-- follows: %s sha256:... -->; when the page says what %s says, run: %s", english.path, english.path, accept)
	case named != english.path:
		p.fault(at, "follows %s, and must follow %s", named, english.path)
	case hash != english.contentHash() && note < 0:
		p.fault(at, "%s has changed: translate the change and run: %s (or, until then, put this line at the top: %s)", english.path, accept, BehindNote)
	case hash == english.contentHash() && note >= 0:
		p.fault(note, "the page is up to date, but says that it is behind")
	case note >= topLines:
		p.fault(note, "the note that the page is behind belongs at its top")
	}
}

// acceptPage declares that a Persian page says what its English page says now.
func acceptPage(p, english *page) *page {
	follows := "<!-- follows: " + english.path + " sha256:" + english.contentHash() + " -->"
	lines := slices.Clone(p.lines)
	if at, _, _ := p.followsAt(); at >= 0 {
		lines[at] = follows
	} else {
		lines = append([]string{follows, ""}, lines...)
	}
	if note := slices.Index(lines, BehindNote); note >= 0 {
		lines = slices.Delete(lines, note, note+1)
		if note > 0 && note < len(lines) && lines[note-1] == "" && lines[note] == "" {
			lines = slices.Delete(lines, note, note+1)
		}
	}
	return parsePage(path.Clean(p.path), strings.Join(lines, "\n"))
}
