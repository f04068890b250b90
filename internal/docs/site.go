package docs

import (
	"fmt"
	"io/fs"
	"slices"
)

// Check reads the pages of a repository and answers what is wrong with them, in
// the order of pages and lines. The error is of reading alone.
func Check(house fs.FS) ([]Fault, error) {
	pages, err := loadPages(house)
	if err != nil {
		return nil, err
	}
	tests, err := loadTests(house)
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		checkCode(house, p)
		checkLinks(house, pages, p)
		checkCommands(house, p)
		checkProofs(tests, p)
		if isPersian(p.path) {
			checkPersian(p)
			checkMarks(p)
		}
	}
	checkPairs(pages)
	var faults []Fault
	for _, p := range pages {
		slices.SortStableFunc(p.faults, func(a, b Fault) int { return a.Line - b.Line })
		faults = append(faults, p.faults...)
	}
	return faults, nil
}

// Update answers the new text of each page that a rewrite changes: code as its
// markers name it, and in Persian pages the direction of code and around it. The pages of
// accept are declared to say what their English pages say now.
func Update(house fs.FS, accept []string) (map[string]string, error) {
	pages, err := loadPages(house)
	if err != nil {
		return nil, err
	}
	before := map[string]string{}
	byPath := map[string]*page{}
	for i, p := range pages {
		before[p.path] = p.text()
		p = updateCode(house, p)
		if isPersian(p.path) {
			p = markCode(wrapDirection(p))
		}
		pages[i], byPath[p.path] = p, p
	}
	for _, name := range accept {
		p := byPath[name]
		if p == nil || !isPersian(name) || byPath[followed(name)] == nil {
			return nil, fmt.Errorf("-accept %s: not a Persian page with an English page to follow; give it as docs/fa/guide.md or README.fa.md", name)
		}
		byPath[name] = acceptPage(p, byPath[followed(name)])
	}
	changed := map[string]string{}
	for name, p := range byPath {
		if p.text() != before[name] {
			changed[name] = p.text()
		}
	}
	return changed, nil
}
