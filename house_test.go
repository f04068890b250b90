package finch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// nameless are the file names that say nothing of the noun inside.
var nameless = []string{"util.go", "utils.go", "common.go", "helper.go", "helpers.go", "types.go", "misc.go"}

func TestEveryPackageHasACommentAndEveryFileANoun(t *testing.T) {
	faults, err := houseFaults(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// houseFaults looks at the files of all modules. A package comment counts only
// where go doc shows it: directly above the package clause, and beginning with
// the package's name (or, for a program, with any sentence). Nobody reads the
// go doc of a program outside of the root module: those need none.
func houseFaults(house fs.FS) ([]string, error) {
	var faults []string
	comments := map[string]string{} // of each package that has code, by its folder
	detached := map[string]string{}
	names := map[string]string{}
	err := walkGoFiles(house, func(file string, inRoot bool) error {
		if slices.Contains(nameless, path.Base(file)) {
			faults = append(faults, file+": a file bears the noun it holds: give it a name that says what is inside")
		}
		if strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(house, file)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, source, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			return err
		}
		if !inRoot && parsed.Name.Name == "main" {
			return nil
		}
		pkg := path.Dir(file)
		names[pkg] = parsed.Name.Name
		comments[pkg] += parsed.Doc.Text()
		if parsed.Doc == nil && strayComment(parsed) {
			detached[pkg] = file
		}
		return nil
	})
	for _, pkg := range slices.Sorted(maps.Keys(names)) {
		text, name := comments[pkg], names[pkg]
		switch {
		case text == "" && detached[pkg] != "":
			faults = append(faults, fmt.Sprintf("%s: an empty line stands between the comment and the package clause, so go doc does not show it", detached[pkg]))
		case text == "":
			faults = append(faults, fmt.Sprintf("%s: package %s has no package comment", pkg, name))
		case name != "main" && !strings.HasPrefix(text, "Package "+name+" "):
			faults = append(faults, fmt.Sprintf("%s: the package comment must begin with %q", pkg, "Package "+name+" "))
		}
	}
	return faults, err
}

// strayComment: is there a comment above the package clause that is no directive?
func strayComment(f *ast.File) bool {
	for _, c := range f.Comments {
		if c.End() < f.Package && c.Text() != "" {
			return true
		}
	}
	return false
}

func TestFaultsOfTheHouseAreFound(t *testing.T) {
	tests := []struct {
		name, file, source string
		want               string // a part of the only fault; empty = none
	}{
		{"a comment", "a/doc.go", "// Package a is here.\npackage a\n", ""},
		{"no comment", "a/doc.go", "package a\n", "has no package comment"},
		{"a detached comment", "a/doc.go", "// Package a is here.\n\npackage a\n", "empty line"},
		{"a build tag alone", "a/doc.go", "//go:build linux\n\npackage a\n", "has no package comment"},
		{"another package's comment", "a/doc.go", "// Package b is here.\npackage a\n", "must begin with"},
		{"a program", "a/main.go", "// Command a runs.\npackage main\n", ""},
		{"a name without a noun", "a/utils.go", "// Package a is here.\npackage a\n", "noun"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults, err := houseFaults(fstest.MapFS{tt.file: {Data: []byte(tt.source)}})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(faults) > 0:
				t.Errorf("found faults where there are none: %q", faults)
			case tt.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], tt.want)):
				t.Errorf("found %q, want one fault with %q", faults, tt.want)
			}
		})
	}
}
