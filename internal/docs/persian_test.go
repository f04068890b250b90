package docs_test

import (
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/docs"
)

const english = "# Guide\n\nText.\n\n<!-- code: main.go#hello -->\n```go\nprintln(\"hello\")\n```\n"

// follow is the first line of a Persian page that is up to date with english.
func follow(t *testing.T) string {
	t.Helper()
	page := updated(t, house("docs/en/guide.md", english, "docs/fa/guide.md", "\n", "main.go", program), "docs/fa/guide.md", "docs/fa/guide.md")
	first, _, _ := strings.Cut(page, "\n")
	if !strings.HasPrefix(first, "<!-- follows: docs/en/guide.md sha256:") {
		t.Fatalf("-accept wrote %q", first)
	}
	return first + "\n\n"
}

func TestPersianPageFollowsItsEnglishPage(t *testing.T) {
	top := follow(t)
	body := "<div dir=\"rtl\">\n\nمتن\n\n</div>\n"
	note := "<div dir=\"rtl\">\n\n" + docs.BehindNote + "\n\nمتن\n\n</div>\n"
	changed := strings.Replace(english, "Text.", "New text.", 1)
	newProgram := strings.ReplaceAll(program, "hello\")", "bye\")")
	tests := []struct {
		name, english, persian, program string
		want                            []string
	}{
		{"up to date", english, top + body, program, nil},
		{"behind, and says nothing", changed, top + body, program, []string{"docs/fa/guide.md:1: docs/en/guide.md has changed"}},
		{"behind, and says so", changed, top + note, program, nil},
		{"up to date, and says that it is behind", english, top + note, program, []string{"says that it is behind"}},
		{"without its first line", english, body, program, []string{"the first lines lack <!-- follows: docs/en/guide.md"}},
		{"following another page", english, strings.Replace(top, "guide", "other", 1) + body, program, []string{"must follow docs/en/guide.md"}},
		{"when only included code changed", strings.Replace(english, "hello\")", "bye\")", 1), top + body, newProgram, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantFaults(t, house("docs/en/guide.md", tt.english, "docs/fa/guide.md", tt.persian, "main.go", tt.program), tt.want...)
		})
	}
}

func TestBothLanguagesHaveTheSamePages(t *testing.T) {
	wantFaults(t, house("docs/en/a.md", "A\n", "docs/fa/b.md", "\n", "README.fa.md", "\n"),
		"there is no README.md", "there is no docs/fa/a.md", "there is no docs/en/b.md")
}

func TestAcceptRefreshesTheHashAndDropsTheNote(t *testing.T) {
	page := "<!-- follows: docs/en/guide.md sha256:" + strings.Repeat("0", 64) + " -->\n\n<div dir=\"rtl\">\n\n" + docs.BehindNote + "\n\nمتن\n\n</div>\n"
	files := house("docs/en/guide.md", english, "docs/fa/guide.md", page, "main.go", program)
	if got := updated(t, files, "docs/fa/guide.md"); got != page {
		t.Errorf("an update without -accept changed the page:\n%s", got)
	}
	want := follow(t) + "<div dir=\"rtl\">\n\nمتن\n\n</div>\n"
	if got := updated(t, files, "docs/fa/guide.md", "docs/fa/guide.md"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, err := docs.Update(files, []string{"docs/en/guide.md"}); err == nil {
		t.Error("-accept took an English page")
	}
}

func TestPersianSpelling(t *testing.T) {
	top := follow(t)
	tests := []struct{ name, prose, want string }{
		{"right", "پیام‌ها را «می‌فرستد» و &lrm;`\"x\", y` را [می‌خواند](https://example.com/?q=\"x\")؛ میز ۱۲ نفر.", ""},
		{"Arabic yeh", "كاربرd", "U+0643"},
		{"Arabic kaf", "علي", "U+064A"},
		{"Arabic digits", "٣ پیام", "Arabic digit"},
		{"straight quotes", `او گفت "سلام"`, "straight quote"},
		{"quotes in a tag", `<img alt="x" src="https://example.com/a.png"> تصویر`, ""},
		{"Latin comma", "سلام, دنیا", "Latin punctuation"},
		{"Latin question mark", "خوبی?", "Latin punctuation"},
		{"می with a space", "پیام می فرستد", "after می"},
		{"نمی with a space", "پیام نمی فرستد", "after می"},
		{"ها with a space", "همهٔ پیام ها رسید", "before ها"},
		{"a joiner at the edge of a word", "پیام\u200c رسید", "edge of a word"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			page := top + "<div dir=\"rtl\">\n\n" + tt.prose + "\n\n</div>\n"
			wantFaults(t, house("docs/en/guide.md", english, "docs/fa/guide.md", page, "main.go", program), want...)
		})
	}
}

func TestPersianReadsFromRightToLeftAndCodeDoesNot(t *testing.T) {
	top := follow(t)
	code := "```sh\nls\n```\n"
	tests := []struct{ name, body, want string }{
		{"closed around code", "<div dir=\"rtl\">\n\nمتن\n\n</div>\n\n" + code + "\n<div dir=\"rtl\">\n\nمتن\n\n</div>\n", ""},
		{"an element of its own", "<h1 align=\"center\" dir=\"rtl\">فینچ</h1>\n", ""},
		{"another div within", "<div dir=\"rtl\">\n\n<div align=\"center\">\n\nمتن\n\n</div>\n\nمتن\n\n</div>\n", ""},
		{"no div", "متن\n", "Persian outside of"},
		{"code inside", "<div dir=\"rtl\">\n\nمتن\n\n" + code + "\n</div>\n", "code inside"},
		{"never closed", "<div dir=\"rtl\">\n\nمتن\n", "never closed"},
		{"closed twice", "<div dir=\"rtl\">\n\nمتن\n\n</div>\n\n</div>\n", "closes nothing"},
		{"no empty line after the tag", "<div dir=\"rtl\">\nمتن\n\n</div>\n", "empty line must follow"},
		{"no empty line before the end", "<div dir=\"rtl\">\n\nمتن\n</div>\n", "empty line must stand before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			wantFaults(t, house("docs/en/guide.md", english, "docs/fa/guide.md", top+tt.body, "main.go", program), want...)
		})
	}
}

func TestUpdateClosesTheDirectionAroundCode(t *testing.T) {
	top := follow(t)
	marked := "<!-- code: main.go#hello -->\n```go\nprintln(\"hello\")\n```\n"
	page := top + "<div dir=\"rtl\">\n\nیک\n\n" + marked + "\n```sh\nls\n```\n\nدو\n\n" + marked + "\n</div>\n"
	want := top + "<div dir=\"rtl\">\n\nیک\n\n</div>\n\n" + marked + "\n```sh\nls\n```\n\n<div dir=\"rtl\">\n\nدو\n\n</div>\n\n" + marked
	got := updated(t, house("docs/en/guide.md", english, "docs/fa/guide.md", page, "main.go", program), "docs/fa/guide.md")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	files := house("docs/en/guide.md", english, "docs/fa/guide.md", got, "main.go", program)
	if again := updated(t, files, "docs/fa/guide.md"); again != got {
		t.Errorf("a second update changes the page again:\n%s", again)
	}
	wantFaults(t, files)
}
