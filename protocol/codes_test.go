package protocol_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/finch-go/finch/protocol"
)

func TestCloseCodesAreOneTable(t *testing.T) {
	codes := protocol.CloseCodes()
	if !slices.IsSortedFunc(codes, func(a, b protocol.CloseCode) int { return a.Code - b.Code }) {
		t.Error("the table is not in order")
	}
	names := map[string]bool{}
	for _, c := range codes {
		if row, ok := protocol.CloseCodeOf(c.Code); !ok || row != c || names[c.Name] {
			t.Errorf("%d is not one row: %+v", c.Code, row)
		}
		names[c.Name] = true
		checkSentence(t, c.Meaning)
		if c.Name == "" || c.Action.String() == "unknown action" || protocol.ActionOf(c.Code) != c.Action {
			t.Errorf("incomplete row %+v", c)
		}
	}
	codes[0].Name = "changed"
	if protocol.CloseCodes()[0].Name == "changed" {
		t.Error("a caller can change the table")
	}
}

func TestActionAfterClose(t *testing.T) {
	for _, c := range []struct {
		code int
		want protocol.Action
	}{
		{protocol.CloseNormal, protocol.ActionStop},
		{protocol.CloseGoingAway, protocol.ActionRetry},
		{protocol.CloseAbnormal, protocol.ActionRetry},
		{protocol.CloseDrain, protocol.ActionRetryAtDelay},
		{protocol.CloseTryAgain, protocol.ActionRetry},
		{protocol.CloseUnauthorized, protocol.ActionNewToken},
		{protocol.CloseForbidden, protocol.ActionStop},
		{protocol.CloseNoHeartbeat, protocol.ActionRetry},
		{protocol.CloseTooFast, protocol.ActionRetry},
		{1005, protocol.ActionRetry},
		{1014, protocol.ActionRetry},
		{2999, protocol.ActionRetry},
		{3000, protocol.ActionStop},
		{4999, protocol.ActionStop},
		{5000, protocol.ActionRetry},
		{0, protocol.ActionRetry},
	} {
		if got := protocol.ActionOf(c.code); got != c.want {
			t.Errorf("%d: %v, want %v", c.code, got, c.want)
		}
	}
	if s := protocol.Action(99).String(); s != "unknown action" {
		t.Errorf("an unknown action calls itself %q", s)
	}
}

func TestRefusalsAreOneTable(t *testing.T) {
	known := map[int]bool{}
	for _, s := range protocol.Statuses() {
		if known[s.Status] {
			t.Errorf("status %d twice", s.Status)
		}
		known[s.Status] = true
		checkSentence(t, s.Meaning)
	}
	seen := map[string]bool{}
	last := 0
	for _, r := range protocol.Refusals() {
		if row, ok := protocol.RefusalOf(r.Code); !ok || row != r || seen[r.Code] || !known[r.Status] || r.Status < last {
			t.Errorf("not one row in its place: %+v", r)
		}
		seen[r.Code], last = true, r.Status
		checkSentence(t, r.Meaning)
	}
	if _, ok := protocol.RefusalOf("sold_out"); ok {
		t.Error("an app's own code is in the table")
	}
}

// checkSentence wants one sentence that fits into a cell of a table.
func checkSentence(t *testing.T, s string) {
	t.Helper()
	if s == "" || !strings.HasSuffix(s, ".") || strings.ContainsAny(s, "|\n`<") || unicode.IsSpace(rune(s[0])) {
		t.Errorf("not one sentence: %q", s)
	}
}
