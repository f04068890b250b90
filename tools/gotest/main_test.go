package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReportShowsFailuresAndSkipsAndHidesTheRest(t *testing.T) {
	events := `
{"Action":"output","Package":"p","Test":"TestFine","Output":"fine\n"}
{"Action":"pass","Package":"p","Test":"TestFine"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"wrong\n"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestSkipped","Output":"=== RUN   TestSkipped\n"}
{"Action":"output","Package":"p","Test":"TestSkipped","Output":"    a_test.go:3: no browser\n"}
{"Action":"skip","Package":"p","Test":"TestSkipped"}
{"Action":"output","Package":"p","Test":"TestHangs","Output":"hung here\n"}
{"Action":"fail","Package":"p","Elapsed":0.5}
{"Action":"build-output","ImportPath":"q","Output":"undefined: x\n"}
go: a line of go itself
`
	var shown, log bytes.Buffer
	r := newReport(&shown, &log)
	if err := r.read(strings.NewReader(strings.TrimSpace(events))); err != nil {
		t.Fatal(err)
	}
	r.summary(r.start)
	want := "wrong\nhung here\nFAIL  p (0.5 s)\nundefined: x\ngo: a line of go itself\n" +
		"3 tests, 1 failed, 1 skipped, 0 s\nSKIPPED p TestSkipped: a_test.go:3: no browser\n"
	if shown.String() != want {
		t.Errorf("shown:\n%s\nwant:\n%s", &shown, want)
	}
	if !strings.Contains(log.String(), "fine\n") {
		t.Errorf("the log lacks the output of the test that passed:\n%s", &log)
	}
}
