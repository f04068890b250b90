package docs

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"unicode"
)

var (
	linkTarget = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)`)
	linkNamed  = regexp.MustCompile(`(?m)^\s*\[[^\]\n]+\]:\s*<?([^\s>]+)`)
	linkTag    = regexp.MustCompile(`(?:href|src|srcset)="([^"]+)"`)
	linkScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	anchorTag  = regexp.MustCompile(`(?:id|name)="([^"]+)"`)
	heading    = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	markup     = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)|<[^>]*>|[*_]{2,}`)
)

// checkLinks sees that links within the repository lead somewhere.
func checkLinks(house fs.FS, pages []*page, p *page) {
	in := p.inBlock()
	for i, line := range p.lines {
		if in[i] {
			continue
		}
		line = cutCodeSpans(line)
		for _, r := range []*regexp.Regexp{linkTarget, linkNamed, linkTag} {
			for _, m := range r.FindAllStringSubmatch(line, -1) {
				if why := linkFault(house, pages, p, m[1]); why != "" {
					p.fault(i, "%s", why)
				}
			}
		}
	}
}

func linkFault(house fs.FS, pages []*page, p *page, target string) string {
	if linkScheme.MatchString(target) || strings.HasPrefix(target, "//") {
		return ""
	}
	file, anchor, hasAnchor := strings.Cut(target, "#")
	name := p.path
	if file != "" {
		name = path.Join(path.Dir(p.path), file)
		if strings.HasPrefix(file, "/") {
			name = path.Clean(file[1:])
		}
		if !fs.ValidPath(name) {
			return fmt.Sprintf("the link %s leads out of the repository", target)
		}
		if _, err := fs.Stat(house, name); err != nil {
			return fmt.Sprintf("the link %s leads to %s, which does not exist", target, name)
		}
	}
	if !hasAnchor {
		return ""
	}
	for _, other := range pages {
		if other.path == name && !other.anchors()[anchor] {
			return fmt.Sprintf("the link %s: %s has no heading or anchor #%s", target, name, anchor)
		}
	}
	return ""
}

// anchors are the names that a link may lead to: of headings, as GitHub makes
// them, and of elements.
func (p *page) anchors() map[string]bool {
	found := map[string]bool{}
	in := p.inBlock()
	for i, line := range p.lines {
		if in[i] {
			continue
		}
		for _, m := range anchorTag.FindAllStringSubmatch(line, -1) {
			found[m[1]] = true
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			name := anchorOf(m[1])
			for n, plain := 1, name; found[name]; n++ {
				name = fmt.Sprintf("%s-%d", plain, n)
			}
			found[name] = true
		}
	}
	return found
}

// anchorOf: small letters, spaces as hyphens, no punctuation.
func anchorOf(title string) string {
	title = markup.ReplaceAllString(title, "$1")
	var name strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			name.WriteByte('-')
		case r == '-' || r == '_' || unicode.In(r, unicode.L, unicode.M, unicode.N):
			name.WriteRune(r)
		}
	}
	return name.String()
}
