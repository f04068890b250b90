package docs_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/finch-go/finch/internal/docs"
)

// house makes a repository of the given files: name, text, name, text ...
func house(files ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return fsys
}

// wantFaults checks a house. Each want is a part of one fault, in order.
func wantFaults(t *testing.T, fsys fstest.MapFS, want ...string) {
	t.Helper()
	faults, err := docs.Check(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for i, fault := range faults {
		if i >= len(want) {
			t.Errorf("a fault too many: %s", fault)
		} else if !strings.Contains(fault.String(), want[i]) {
			t.Errorf("fault %d is %q, want it to hold %q", i, fault, want[i])
		}
	}
	for _, missed := range want[min(len(faults), len(want)):] {
		t.Errorf("no fault with %q", missed)
	}
}

// updated is one page after Update; the page as it was if Update left it alone.
func updated(t *testing.T, fsys fstest.MapFS, name string, accept ...string) string {
	t.Helper()
	changed, err := docs.Update(fsys, accept)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := changed[name]; ok {
		return text
	}
	return string(fsys[name].Data)
}

const program = `package main

// region main

func main() {
	// region hello
	println("hello")
	// endregion hello
}

// endregion
`

func TestCodeMustBeThatOfItsSource(t *testing.T) {
	tests := []struct {
		name, page string
		want       []string
	}{
		{"a region", "<!-- code: main.go#hello -->\n```go\nprintln(\"hello\")\n```\n", nil},
		{"a region around a region", "<!-- code: main.go#main -->\n```go\nfunc main() {\n\tprintln(\"hello\")\n}\n```\n", nil},
		{"an empty line between marker and code", "<!-- code: main.go#hello -->\n\n```go\nprintln(\"hello\")\n```\n", nil},
		{"code in a list", "1. Say:\n\n   <!-- code: main.go#hello -->\n   ```go\n   println(\"hello\")\n   ```\n", nil},
		{"a whole file with regions", "<!-- code: main.go -->\n```go\npackage main\n\nfunc main() {\n\tprintln(\"hello\")\n}\n```\n", nil},
		{"a whole file", "<!-- code: page.html -->\n```html\n<p>hello</p>\n```\n", nil},
		{"HTML without a marker", "```html\n<p>bye</p>\n```\n", nil},
		{"a page that differs", "<!-- code: main.go#hello -->\n```go\nprintln(\"bye\")\n```\n", []string{"README.md:2: the code differs from main.go#hello; run: go test ./internal/docs -update"}},
		{"HTML that differs", "<!-- code: page.html -->\n```html\n<p>bye</p>\n```\n", []string{"differs from page.html"}},
		{"no region of that name", "<!-- code: main.go#bye -->\n```go\n```\n", []string{`main.go: there is no region "bye"`}},
		{"no such file", "<!-- code: other.go -->\n```go\n```\n", []string{"does not exist: other.go"}},
		{"a path out of the repository", "<!-- code: ../main.go -->\n```go\n```\n", []string{"not a path from the root"}},
		{"a marker without a file", "<!-- code: -->\n```go\n```\n", []string{"names no file"}},
		{"a marker without code", "<!-- code: main.go#hello -->\n\nprose\n", []string{"no code block follows"}},
		{"a marker that prose parts from its code", "<!-- code: main.go#hello -->\nprose\n```go\n```\n", []string{"no code block follows", "typed into a page"}},
		{"Go without a marker", "```go\nprintln()\n```\n", []string{"README.md:1: Go code typed into a page"}},
		{"a block that is never closed", "```sh\nls\n", []string{"never closed"}},
		{"a fence within a longer fence", "````md\n```go\n```\n````\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantFaults(t, house("README.md", tt.page, "main.go", program, "page.html", "<p>hello</p>\n"), tt.want...)
		})
	}
}

func TestRegionsMustBeWhole(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"never closed", "// region a\nx\n", `region "a" has no endregion`},
		{"closed without a start", "x\n// endregion\n", "endregion without a region"},
		{"there twice", "// region a\nx\n// endregion\n// region a\ny\n// endregion\n", `a second region "a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantFaults(t, house("README.md", "<!-- code: main.go#a -->\n```go\nx\n```\n", "main.go", tt.source), tt.want)
		})
	}
}

func TestRegionsAreMarkedInEachLanguage(t *testing.T) {
	for file, source := range map[string]string{
		"a.js":   "// region r\nx\n// endregion\n",
		"a.css":  "/* region r */\nx\n/* endregion */\n",
		"a.html": "<!-- region r -->\nx\n<!-- endregion -->\n",
		"a.sh":   "# region r\nx\n# endregion\n",
	} {
		wantFaults(t, house("README.md", "<!-- code: "+file+"#r -->\n```\nx\n```\n", file, source))
	}
}

func TestUpdateBringsCodeIntoThePage(t *testing.T) {
	tests := []struct{ name, page, want string }{
		{"over other code", "# A\n\n<!-- code: main.go#hello -->\n```go\nold\n```\n\nB\n", "# A\n\n<!-- code: main.go#hello -->\n```go\nprintln(\"hello\")\n```\n\nB\n"},
		{"after a marker alone", "A\n\n<!-- code: main.go#hello -->\n\nB\n", "A\n\n<!-- code: main.go#hello -->\n```go\nprintln(\"hello\")\n```\n\nB\n"},
		{"with the indentation of a list", "- A\n\n  <!-- code: main.go#main -->\n  ```go\n  ```\n", "- A\n\n  <!-- code: main.go#main -->\n  ```go\n  func main() {\n  \tprintln(\"hello\")\n  }\n  ```\n"},
		{"and leaves other blocks alone", "```sh\nls\n```\n", "```sh\nls\n```\n"},
		{"and leaves an unknown source alone", "<!-- code: gone.go -->\n```go\nold\n```\n", "<!-- code: gone.go -->\n```go\nold\n```\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := house("docs/protocol.md", tt.page, "main.go", program)
			got := updated(t, fsys, "docs/protocol.md")
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if again := updated(t, house("docs/protocol.md", got, "main.go", program), "docs/protocol.md"); again != got {
				t.Errorf("a second update changes the page again:\n%s", again)
			}
		})
	}
}
