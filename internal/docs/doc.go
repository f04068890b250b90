// Package docs keeps the pages of this repository true. It is used by its own
// tests and by nothing else.
//
// # Code
//
// Code is not typed into a page. A marker names the source, and the block after
// it holds a copy that the tests compare and the updater rewrites:
//
//	<!-- code: examples/guide/main.go#manager -->
//
// The part after # is a region of that file, between two comment lines
// "region manager" and "endregion"; without it the whole file is meant. Every
// block of Go in README*.md and docs has such a marker.
//
// # Persian
//
// A Persian page follows the English page of the same name and says in its
// first lines which state of it:
//
//	<!-- follows: docs/en/guide.md sha256:... -->
//
// The hash leaves out the code that markers bring in, because both pages
// include the same. A page that is behind says so to its readers, with
// [BehindNote]. Prose stands in <div dir="rtl">, which is closed around each
// block of code, so that code is never set from right to left. Within a line,
// code that begins or ends with a sign has a left-to-right mark on that side.
//
// # Links and commands
//
// Links to files and headings of the repository lead somewhere, and so do the
// paths and make targets of the commands that a page shows. Tests that a page
// names exist.
package docs
