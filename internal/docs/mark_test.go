package docs_test

import (
	"strings"
	"testing"
)

func TestCodeBetweenPersianWordsIsMarked(t *testing.T) {
	top := follow(t)
	tests := []struct{ name, prose, want string }{
		{"a name", "تابع `Send` است", "تابع `Send` است"},
		{"a call", "تابع `s.Send()` است", "تابع `s.Send()`&lrm; است"},
		{"a path", "مسیر `/ws` است", "مسیر &lrm;`/ws` است"},
		{"both ends", "شیء `{a, b}` است", "شیء &lrm;`{a, b}`&lrm; است"},
		{"a number", "کد `4401` است", "کد `4401` است"},
		{"a number with a unit", "سقف `64 KiB` است", "سقف &lrm;`64 KiB` است"},
		{"marked already", "تابع &lrm;`{a}`&lrm; و `f()`&lrm; است", "تابع &lrm;`{a}`&lrm; و `f()`&lrm; است"},
		{"Persian", "متن `سلام سرور!` است", "متن `سلام سرور!` است"},
		{"two backquotes", "متن ``a`()`` است", "متن ``a`()``&lrm; است"},
		{"a backquote alone", "متن ` است", "متن ` است"},
		{"a heading", "## تابع `f()`", "## تابع `f()`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := top + "<div dir=\"rtl\">\n\n" + tt.prose + "\n\n</div>\n"
			files := house("docs/en/guide.md", english, "docs/fa/guide.md", page, "main.go", program)
			if tt.prose != tt.want {
				wantFaults(t, files, "reads ()f")
			}
			got := updated(t, files, "docs/fa/guide.md")
			if want := strings.Replace(page, tt.prose, tt.want, 1); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			wantFaults(t, house("docs/en/guide.md", english, "docs/fa/guide.md", got, "main.go", program))
		})
	}
}

func TestEnglishPagesAreNotMarked(t *testing.T) {
	wantFaults(t, house("docs/protocol.md", "A call of `f()`.\n"))
}
