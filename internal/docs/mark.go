package docs

import (
	"strings"
	"unicode"
)

// ltrMark is the left-to-right mark (Unicode UAX #9 section 2.6), as an entity
// so that it can be seen in the source.
const ltrMark = "&lrm;"

// checkMarks finds the spans of code that would turn over.
func checkMarks(p *page) {
	in := p.inBlock()
	for i, line := range p.lines {
		if !in[i] && markSpans(line) != line {
			p.fault(i, "between Persian words code such as f() reads ()f: it needs %s where it begins or ends with a sign; %s", ltrMark, howToUpdate)
		}
	}
}

// markCode puts the marks where they are needed.
func markCode(p *page) *page {
	in := p.inBlock()
	for i, line := range p.lines {
		if !in[i] {
			p.lines[i] = markSpans(line)
		}
	}
	return parsePage(p.path, p.text())
}

// markSpans puts a mark before each span of code of a line that begins with a
// sign, or with a number that something else follows, and behind each that ends
// with a sign. Signs have no direction of their own and take that of the
// Persian around them. Spans of Persian are left alone.
func markSpans(line string) string {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return line // a heading: the mark would become a part of its anchor
	}
	var out strings.Builder
	for {
		start := strings.IndexByte(line, '`')
		if start < 0 {
			return out.String() + line
		}
		n := len(line[start:]) - len(strings.TrimLeft(line[start:], "`"))
		length := closingRun(line[start+n:], n)
		if length < 0 {
			return out.String() + line
		}
		end := start + n + length + n
		before, span, code := line[:start], line[start:end], line[start+n:end-n]
		line = line[end:]
		out.WriteString(before)
		if turnsAtStart(code) && !strings.HasSuffix(out.String(), ltrMark) {
			out.WriteString(ltrMark)
		}
		out.WriteString(span)
		if turnsAtEnd(code) && !strings.HasPrefix(line, ltrMark) {
			out.WriteString(ltrMark)
		}
	}
}

func turnsAtStart(code string) bool {
	code = strings.TrimSpace(code)
	if code == "" || isPersianText(code) {
		return false
	}
	first := []rune(code)[0]
	return !unicode.IsLetter(first) && !isNumber(code)
}

func turnsAtEnd(code string) bool {
	code = strings.TrimSpace(code)
	if code == "" || isPersianText(code) {
		return false
	}
	runes := []rune(code)
	last := runes[len(runes)-1]
	return !unicode.IsLetter(last) && !unicode.IsDigit(last)
}

func isPersianText(code string) bool {
	return strings.ContainsFunc(code, func(r rune) bool { return unicode.Is(unicode.Arabic, r) })
}

// isNumber: digits alone stand from left to right in any text.
func isNumber(code string) bool {
	return !strings.ContainsFunc(code, func(r rune) bool { return !unicode.IsDigit(r) })
}
