package docs_test

import "testing"

func TestTestsThatAPageNamesExist(t *testing.T) {
	const written = "package x_test\n\nfunc TestItHolds(t *testing.T) {}\n\n// func TestItDoesNot(t *testing.T) {}\n"
	tests := []struct{ name, line, want string }{
		{"one that exists", "It holds (`TestItHolds`).", ""},
		{"in a block", "```text\n`TestGone`\n```", ""},
		{"a word that only looks like one", "`Testing` and `TestMainframe.go`", ""},
		{"one that is gone", "It holds (`TestItHolds`, `TestGone`).", "docs/adr/x.md:1: no test is called TestGone"},
		{"one that is a comment", "`TestItDoesNot`", "no test is called TestItDoesNot"},
		{"one of a folder that is not ours", "`TestTheirs`", "no test is called TestTheirs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			wantFaults(t, house("docs/adr/x.md", tt.line+"\n", "internal/x/x_test.go", written,
				"e2e/node_modules/x_test.go", "func TestTheirs(t *testing.T) {}\n"), want...)
		})
	}
}
