package docs

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// notProse is what a page's rules of writing do not reach, code apart: comments,
// tags, addresses.
var notProse = []*regexp.Regexp{
	regexp.MustCompile(`(?s)<!--.*?-->`),
	regexp.MustCompile(`(?s)<[A-Za-z/][^>]*>`),
	regexp.MustCompile(`\]\([^)\n]*\)`),
	regexp.MustCompile(`(?m)^\s*\[[^\]\n]+\]:\s.*$`),
	regexp.MustCompile(`https?://\S+`),
}

const letter = `[\x{0621}-\x{064A}\x{067E}\x{0686}\x{0698}\x{06A9}\x{06AF}\x{06CC}]`

// persianRules are the slips of Persian spelling that a machine can see.
var persianRules = []struct {
	slip *regexp.Regexp
	rule string
}{
	{regexp.MustCompile(`"`), `a straight quote: Persian quotes with « and »`},
	{regexp.MustCompile(letter + `[,;?]`), `Latin punctuation after a Persian word: write ، ؛ or ؟`},
	{regexp.MustCompile(`(^|[\s(«])ن?می ` + letter), `a space after می: join it with a zero-width non-joiner (می‌کند)`},
	{regexp.MustCompile(letter + ` ها(ی|یی|یم|یت|یش)?([\s.،؛:)»]|$)`), `a space before ها: join it with a zero-width non-joiner (کلاینت‌ها)`},
	{regexp.MustCompile(`\x{200C}(\s|$)|(^|\s)\x{200C}`), `a zero-width non-joiner at the edge of a word`},
}

// checkPersian sees to the spelling of a Persian page, and that it reads from
// right to left while its code does not.
func checkPersian(p *page) {
	for i, line := range p.lines {
		for _, wrong := range []struct{ letter, right string }{{"\u064A", "ی (U+06CC)"}, {"\u0643", "ک (U+06A9)"}} {
			if strings.Contains(line, wrong.letter) {
				p.fault(i, "an Arabic letter %U: write %s", []rune(wrong.letter)[0], wrong.right)
			}
		}
		if strings.ContainsAny(line, "٠١٢٣٤٥٦٧٨٩") {
			p.fault(i, "an Arabic digit: write ۰ to ۹ (U+06F0 to U+06F9)")
		}
	}
	prose := p.prose()
	for i, line := range prose {
		for _, r := range persianRules {
			if r.slip.MatchString(line) {
				p.fault(i, "%s", r.rule)
			}
		}
	}
	checkDirection(p, prose)
}

const (
	openRTL  = `<div dir="rtl">`
	closeDiv = `</div>`
)

// checkDirection follows the div elements of a page. A tag needs an empty line
// on its inner side, or Markdown takes what follows for HTML.
func checkDirection(p *page, prose []string) {
	var open []int // the lines of the div elements that are open
	rtl := 0       // how many of them are from right to left
	in := p.inBlock()
	for i, line := range p.lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case in[i]:
			if rtl > 0 && !(i > 0 && in[i-1]) {
				p.fault(i, "code inside %s: close it before the code and open it again after; %s", openRTL, howToUpdate)
			}
		case strings.HasPrefix(trimmed, "<div") && !strings.Contains(trimmed, closeDiv):
			open = append(open, i)
			if !isRTL(trimmed) {
				continue
			}
			rtl++
			if i+1 < len(p.lines) && p.lines[i+1] != "" {
				p.fault(i, "an empty line must follow %s, or its text is not taken for Markdown", openRTL)
			}
		case trimmed == closeDiv:
			if len(open) == 0 {
				p.fault(i, "%s closes nothing", closeDiv)
				continue
			}
			if isRTL(p.lines[open[len(open)-1]]) {
				rtl--
				if p.lines[i-1] != "" {
					p.fault(i, "an empty line must stand before this %s, or it is taken for text", closeDiv)
				}
			}
			open = open[:len(open)-1]
		case rtl == 0 && !isRTL(trimmed) && strings.ContainsFunc(prose[i], func(r rune) bool { return unicode.Is(unicode.Arabic, r) }):
			p.fault(i, "Persian outside of %s", openRTL)
		}
	}
	for _, i := range open {
		p.fault(i, "this div is never closed")
	}
}

// isRTL: does the line hold an element that reads from right to left?
func isRTL(line string) bool { return strings.Contains(line, `dir="rtl"`) }

// wrapDirection closes and opens the right-to-left div around each block of code.
func wrapDirection(p *page) *page {
	var lines []string
	put := func(text ...string) {
		for _, line := range text {
			if line != "" || len(lines) > 0 && lines[len(lines)-1] != "" {
				lines = append(lines, line)
			}
		}
	}
	next, rtl := 0, false
	prose := func(until int) {
		for _, line := range p.lines[next:until] {
			switch strings.TrimSpace(line) {
			case openRTL:
				rtl = true
			case closeDiv:
				rtl = false
			}
			put(line)
		}
	}
	for _, b := range p.blocks {
		prose(b.first())
		code := p.lines[b.first() : b.last()+1]
		if rtl {
			put("", closeDiv, "")
			lines = append(lines, code...)
			put("", openRTL, "")
		} else {
			lines = append(lines, code...)
		}
		next = b.last() + 1
	}
	prose(len(p.lines))
	lines = dropEmptyDivs(trimBlank(lines))
	return parsePage(p.path, strings.Join(lines, "\n"))
}

// dropEmptyDivs removes a right-to-left div with nothing in it, which is what
// remains between two blocks of code that follow each other.
func dropEmptyDivs(lines []string) []string {
	for i := 0; i < len(lines); i++ {
		if lines[i] != openRTL {
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end] == "" {
			end++
		}
		if end == len(lines) || lines[end] != closeDiv {
			continue
		}
		end++
		if i > 0 && lines[i-1] == "" && end < len(lines) && lines[end] == "" {
			end++
		}
		lines = slices.Delete(lines, i, end)
		i--
	}
	return trimBlank(lines)
}
