package docs

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// The comments of Go, JavaScript, CSS, HTML and shell may hold a region's name.
var (
	regionStart = regexp.MustCompile(`^\s*(?://|#|/\*|<!--)\s*region\s+(\S+?)\s*(?:\*/|-->)?$`)
	regionEnd   = regexp.MustCompile(`^\s*(?://|#|/\*|<!--)\s*endregion(?:\s+\S+?)?\s*(?:\*/|-->)?$`)
)

// sourceLines reads what a marker names: a file of the repository, or a region of it.
func sourceLines(house fs.FS, source string) ([]string, error) {
	file, region, hasRegion := strings.Cut(source, "#")
	if !fs.ValidPath(file) {
		return nil, fmt.Errorf("%q is not a path from the root of the repository", file)
	}
	text, err := fs.ReadFile(house, file)
	if err != nil {
		return nil, fmt.Errorf("the code's file does not exist: %s", file)
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	cut, err := cutRegion(lines, region, hasRegion)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return unindent(trimBlank(cut)), nil
}

// cutRegion answers the lines of one region, or all of them, without the lines
// that only mark regions. Regions may lie within each other.
func cutRegion(lines []string, region string, hasRegion bool) ([]string, error) {
	var kept []string
	var open []string // the names of the regions around this line
	inside, found := !hasRegion, !hasRegion
	cut := false // the line before this one was cut out
	for i, line := range lines {
		if m := regionStart.FindStringSubmatch(line); m != nil {
			open = append(open, m[1])
			if hasRegion && m[1] == region {
				if found {
					return nil, fmt.Errorf("line %d: a second region %q", i+1, region)
				}
				inside, found = true, true
			}
			cut = true
			continue
		}
		if regionEnd.MatchString(line) {
			if len(open) == 0 {
				return nil, fmt.Errorf("line %d: endregion without a region", i+1)
			}
			if hasRegion && open[len(open)-1] == region {
				inside = false
			}
			open = open[:len(open)-1]
			cut = true
			continue
		}
		// Of the empty lines around a line that was cut out, one remains.
		twice := cut && line == "" && len(kept) > 0 && kept[len(kept)-1] == ""
		if inside && !twice {
			kept = append(kept, line)
		}
		cut = false
	}
	switch {
	case len(open) > 0:
		return nil, fmt.Errorf("region %q has no endregion", open[len(open)-1])
	case !found:
		return nil, fmt.Errorf("there is no region %q", region)
	}
	return kept, nil
}

func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// unindent removes the indentation that all lines share.
func unindent(lines []string) []string {
	shared, first := "", true
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		indent := indentOf(line)
		if first {
			shared, first = indent, false
		}
		for !strings.HasPrefix(indent, shared) {
			shared = shared[:len(shared)-1]
		}
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.TrimPrefix(line, shared)
		if strings.TrimSpace(line) == "" {
			out[i] = ""
		}
	}
	return out
}
