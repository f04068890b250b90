package docs_test

import "testing"

func TestLinksLeadSomewhere(t *testing.T) {
	const other = "# The other page\n\n## Same\n\n## Same\n\n## `finch.On`, and *more* [here](a.md)\n\n<a id=\"by-hand\"></a>\n\n## راهنمای کوتاه\n\n```sh\n# no heading\n```\n"
	tests := []struct{ name, line, want string }{
		{"a file", "[a](docs/other.md)", ""},
		{"a folder", "[a](docs)", ""},
		{"from the root", "[a](/docs/other.md)", ""},
		{"elsewhere", "[a](https://example.com/x#y) <mailto:a@example.com>", ""},
		{"a heading", "[a](docs/other.md#the-other-page)", ""},
		{"the second of two headings", "[a](docs/other.md#same-1)", ""},
		{"a heading with code", "[a](docs/other.md#finchon-and-more-here)", ""},
		{"a Persian heading", "[a](docs/other.md#راهنمای-کوتاه)", ""},
		{"an anchor", "[a](docs/other.md#by-hand)", ""},
		{"a heading of the same page", "## Here\n\n[a](#here)", ""},
		{"in code", "`[a](gone.md)`", ""},
		{"a missing file", "[a](gone.md)", "leads to gone.md, which does not exist"},
		{"a missing image", "![a](docs/gone.png)", "docs/gone.png"},
		{"a missing image in a tag", `<img src="docs/gone.png">`, "docs/gone.png"},
		{"a missing reference", "[a]: docs/gone.md", "docs/gone.md"},
		{"a missing heading", "[a](docs/other.md#gone)", "has no heading or anchor #gone"},
		{"a comment in code is no heading", "[a](docs/other.md#no-heading)", "#no-heading"},
		{"a missing heading of the same page", "[a](#gone)", "README.md has no heading"},
		{"out of the repository", "[a](../x.md)", "out of the repository"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			wantFaults(t, house("README.md", tt.line+"\n", "docs/other.md", other, "docs/a.md", ""), want...)
		})
	}
}

func TestCommandsNameWhatExists(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a package", "```sh\ngit clone https://example.com/finch && cd finch\n$ go run ./cmd/finch demo # opens\n```", ""},
		{"all packages", "`go test ./...`", ""},
		{"a target", "`make test`", ""},
		{"from a folder", "```sh\ncd cmd\ngo run ./finch\n```", ""},
		{"not a shell block", "```text\ngo run ./gone\n```", ""},
		{"a missing package", "```sh\ngo run ./cmd/gone\n```", "README.md:2: the command \"go run ./cmd/gone\": cmd/gone does not exist"},
		{"a missing package in prose", "Run `go run ./cmd/gone`.", "cmd/gone does not exist"},
		{"a missing target", "`make gone`", "no target gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			wantFaults(t, house("README.md", tt.text+"\n", "cmd/finch/main.go", "package main\n", "Makefile", "test: unit\n\tgo test\n"), want...)
		})
	}
}
