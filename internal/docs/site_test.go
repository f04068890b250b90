package docs_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/docs"
)

var (
	update = flag.Bool("update", false, "rewrite the code in the pages from the sources that their markers name")
	accept = flag.String("accept", "", "Persian pages, with commas between them, that say now what their English pages say")
)

const root = "../.."

// TestPagesOfTheRepositoryAreTrue is the test that a change of a page or of an
// example meets. With -update or -accept it rewrites the pages first.
func TestPagesOfTheRepositoryAreTrue(t *testing.T) {
	if *update || *accept != "" {
		changed, err := docs.Update(os.DirFS(root), strings.FieldsFunc(*accept, func(r rune) bool { return r == ',' }))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(changed)) {
			if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte(changed[name]), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Logf("rewrote %s", name)
		}
	}
	faults, err := docs.Check(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}
