package docs

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

const howToUpdate = "run: go test ./internal/docs -update"

// checkCode compares the blocks of a page with the sources that their markers name.
func checkCode(house fs.FS, p *page) {
	for _, b := range p.blocks {
		switch {
		case b.marker < 0:
			if b.language == "go" && compiled(p.path) {
				p.fault(b.open, "Go code typed into a page: put it into a compiled program and name it here with <!-- code: path/of/file.go#region -->")
			}
		case b.source == "": // said when the page was parsed
		default:
			want, err := sourceLines(house, b.source)
			switch {
			case err != nil:
				p.fault(b.marker, "%v", err)
			case b.open < 0:
				p.fault(b.marker, "no code block follows this marker; %s", howToUpdate)
			case !slices.Equal(p.lines[b.open+1:b.close], indented(want, b.indent)):
				p.fault(b.open, "the code differs from %s; %s", b.source, howToUpdate)
			}
		}
	}
}

// compiled: may this page show only Go that is compiled?
func compiled(name string) bool {
	return strings.HasPrefix(name, "docs/") || strings.HasPrefix(name, "README")
}

// updateCode answers the page with the code that its markers name. What cannot
// be read is left as it is, for checkCode to complain of.
func updateCode(house fs.FS, p *page) *page {
	var lines []string
	next := 0
	for _, b := range p.blocks {
		if b.marker < 0 {
			continue
		}
		code, err := sourceLines(house, b.source)
		if err != nil {
			continue
		}
		fence, opening := b.fence, ""
		if b.open < 0 {
			file, _, _ := strings.Cut(b.source, "#")
			fence = "```"
			opening = b.indent + fence + languageOf(file)
			lines = append(lines, p.lines[next:b.marker+1]...)
		} else {
			opening = p.lines[b.open]
			lines = append(lines, p.lines[next:b.open]...)
		}
		lines = append(lines, opening)
		lines = append(lines, indented(code, b.indent)...)
		lines = append(lines, b.indent+fence)
		next = b.last() + 1
	}
	lines = append(lines, p.lines[next:]...)
	return parsePage(p.path, strings.Join(lines, "\n"))
}

func languageOf(file string) string {
	switch ext := strings.TrimPrefix(path.Ext(file), "."); ext {
	case "mjs", "cjs":
		return "js"
	default:
		return ext
	}
}

func indented(lines []string, indent string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		if line != "" {
			line = indent + line
		}
		out[i] = line
	}
	return out
}
