package docs

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	testNamed   = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9_]*)`")
	testWritten = regexp.MustCompile(`(?m)^func (Test[A-Z][A-Za-z0-9_]*)\(`)
)

// loadTests answers the names of all Go tests of the repository: a page that
// promises something names the test that shows it.
func loadTests(house fs.FS) (map[string]bool, error) {
	tests := map[string]bool{}
	err := fs.WalkDir(house, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(path.Base(name), ".") || path.Base(name) == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(house, name)
		for _, m := range testWritten.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	return tests, err
}

// checkProofs sees that the tests that a page of docs names exist.
func checkProofs(tests map[string]bool, p *page) {
	if !strings.HasPrefix(p.path, "docs/") {
		return // the pages about how to contribute name tests that nobody wrote
	}
	in := p.inBlock()
	for i, line := range p.lines {
		if in[i] {
			continue
		}
		for _, m := range testNamed.FindAllStringSubmatch(line, -1) {
			if !tests[m[1]] {
				p.fault(i, "no test is called %s", m[1])
			}
		}
	}
}
