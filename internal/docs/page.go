package docs

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Fault is one thing wrong with a page.
type Fault struct {
	Page    string
	Line    int // from 1; 0 = the page as a whole
	Problem string
}

func (f Fault) String() string {
	if f.Line == 0 {
		return f.Page + ": " + f.Problem
	}
	return fmt.Sprintf("%s:%d: %s", f.Page, f.Line, f.Problem)
}

// page is one Markdown file, as lines without their ends.
type page struct {
	path   string
	lines  []string
	blocks []block
	faults []Fault
}

// block is one piece of code in a page: a marker, or a fence, or a marker with
// the fence that it fills. Places are indexes of lines.
type block struct {
	source      string // of the marker: file, or file#region; empty = none
	marker      int    // -1 = none
	open, close int    // the lines of the fence; open = -1: a marker without a fence
	indent      string
	fence       string // the run of ` or ~ that opens it
	language    string
}

func (b block) first() int {
	if b.marker >= 0 {
		return b.marker
	}
	return b.open
}

func (b block) last() int {
	if b.open < 0 {
		return b.marker
	}
	return b.close
}

func (p *page) fault(line int, format string, args ...any) {
	p.faults = append(p.faults, Fault{p.path, line + 1, fmt.Sprintf(format, args...)})
}

func (p *page) text() string { return strings.Join(p.lines, "\n") + "\n" }

func parsePage(name, text string) *page {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	p := &page{path: name, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
	waiting := -1 // index in blocks of a marker that has no fence yet
	for i := 0; i < len(p.lines); i++ {
		line := strings.TrimSpace(p.lines[i])
		if source, ok := markerSource(line); ok {
			if source == "" {
				p.fault(i, "the marker names no file: <!-- code: path/of/file.go#region -->")
			}
			waiting = len(p.blocks)
			p.blocks = append(p.blocks, block{source: source, marker: i, open: -1, indent: indentOf(p.lines[i])})
			continue
		}
		fence, language, ok := openingFence(line)
		if !ok {
			if line != "" {
				waiting = -1
			}
			continue
		}
		b := block{marker: -1, open: i, close: -1, indent: indentOf(p.lines[i]), fence: fence, language: language}
		if waiting >= 0 {
			b.source, b.marker = p.blocks[waiting].source, p.blocks[waiting].marker
			p.blocks = p.blocks[:waiting]
		}
		waiting = -1
		for i++; i < len(p.lines); i++ {
			if closesFence(p.lines[i], fence) {
				b.close = i
				break
			}
		}
		if b.close < 0 {
			p.fault(b.open, "this code block is never closed")
			b.close = len(p.lines) - 1
		}
		p.blocks = append(p.blocks, b)
	}
	return p
}

func markerSource(line string) (string, bool) {
	rest, ok := strings.CutPrefix(line, "<!-- code:")
	if !ok {
		return "", false
	}
	rest, ok = strings.CutSuffix(rest, "-->")
	return strings.TrimSpace(rest), ok
}

func openingFence(line string) (fence, language string, ok bool) {
	for _, mark := range []string{"`", "~"} {
		rest := strings.TrimLeft(line, mark)
		if n := len(line) - len(rest); n >= 3 && !strings.Contains(rest, "`") {
			language, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
			return line[:n], language, true
		}
	}
	return "", "", false
}

func closesFence(line, fence string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, fence) && strings.Trim(line, fence[:1]) == ""
}

func indentOf(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// inBlock tells for each line whether it belongs to code: a marker, a fence or
// what is between.
func (p *page) inBlock() []bool {
	in := make([]bool, len(p.lines))
	for _, b := range p.blocks {
		if b.marker >= 0 {
			in[b.marker] = true
		}
		for i := max(b.open, 0); b.open >= 0 && i <= b.close; i++ {
			in[i] = true
		}
	}
	return in
}

// prose is the text of the page with the same lines, but without code, HTML
// tags and comments, and the targets of links.
func (p *page) prose() []string {
	lines := slices.Clone(p.lines)
	for i, in := range p.inBlock() {
		if in {
			lines[i] = ""
		}
	}
	text := cutCodeSpans(strings.Join(lines, "\n"))
	for _, r := range notProse {
		text = r.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) })
	}
	return strings.Split(text, "\n")
}

// cutCodeSpans removes what stands between two equal runs of backquotes.
func cutCodeSpans(text string) string {
	var kept strings.Builder
	for {
		start := strings.IndexByte(text, '`')
		if start < 0 {
			return kept.String() + text
		}
		n := len(text[start:]) - len(strings.TrimLeft(text[start:], "`"))
		end := closingRun(text[start+n:], n)
		kept.WriteString(text[:start])
		if end < 0 {
			text = text[start+n:]
			continue
		}
		kept.WriteString(strings.Repeat("\n", strings.Count(text[start:start+n+end], "\n")))
		text = text[start+n+end+n:]
	}
}

// closingRun finds a run of exactly n backquotes within the same paragraph.
func closingRun(text string, n int) int {
	if blank := strings.Index(text, "\n\n"); blank >= 0 {
		text = text[:blank]
	}
	for at := 0; at < len(text); {
		start := strings.IndexByte(text[at:], '`')
		if start < 0 {
			return -1
		}
		at += start
		run := len(text[at:]) - len(strings.TrimLeft(text[at:], "`"))
		if run == n {
			return at
		}
		at += run
	}
	return -1
}

// loadPages reads README*.md and the other pages of the root, and all of docs.
func loadPages(house fs.FS) ([]*page, error) {
	names, err := fs.Glob(house, "*.md")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(house, "docs", func(name string, d fs.DirEntry, err error) error {
		if name == "docs" && err != nil {
			return fs.SkipAll // a repository without docs is checked too
		}
		if err == nil && !d.IsDir() && path.Ext(name) == ".md" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var pages []*page
	for _, name := range names {
		text, err := fs.ReadFile(house, name)
		if err != nil {
			return nil, err
		}
		pages = append(pages, parsePage(name, string(text)))
	}
	return pages, nil
}
