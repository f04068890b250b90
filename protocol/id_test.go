package protocol_test

import (
	"math"
	"strings"
	"testing"

	"github.com/finch-go/finch/protocol"
)

func TestIDIsComparedByValue(t *testing.T) {
	for _, c := range []struct {
		wire string
		want protocol.ID
		text string
	}{
		{`0`, protocol.IntID(0), "0"},
		{`-0`, protocol.IntID(0), "0"},
		{`-7`, protocol.IntID(-7), "-7"},
		{`9223372036854775807`, protocol.IntID(math.MaxInt64), "9223372036854775807"},
		{`-9223372036854775808`, protocol.IntID(math.MinInt64), "-9223372036854775808"},
		{`""`, protocol.StringID(""), ""},
		{`"7"`, protocol.StringID("7"), "7"},
		{`"\u0061\/"`, protocol.StringID("a/"), "a/"},
		{`"\"\\\n\u0001"`, protocol.StringID("\"\\\n\x01"), "\"\\\n\x01"},
		{`"\ud83d\ude00 شناسه"`, protocol.StringID("😀 شناسه"), "😀 شناسه"},
	} {
		e, err := protocol.Parse([]byte(`{"path":"a","id":`+c.wire+`}`), protocol.ParseOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.wire, err)
			continue
		}
		if e.ID != c.want || e.ID.String() != c.text || e.ID.IsZero() {
			t.Errorf("%s: got %#v, %q", c.wire, e.ID, e.ID.String())
		}
		if m := map[protocol.ID]bool{c.want: true}; !m[e.ID] {
			t.Errorf("%s: not found in a map", c.wire)
		}
	}
}

func TestIDsOfTwoKindsDiffer(t *testing.T) {
	if protocol.IntID(7) == protocol.StringID("7") {
		t.Error("7 and \"7\" are one id")
	}
}

func TestZeroIDIsNoID(t *testing.T) {
	var id protocol.ID
	if !id.IsZero() || id.String() != "" || id == protocol.StringID("") {
		t.Errorf("the zero id is %#v", id)
	}
}

func TestLongestIDIsMeasuredDecoded(t *testing.T) {
	escaped := strings.Repeat(`\u0061`, protocol.MaxIDBytes)
	e, err := protocol.Parse([]byte(`{"path":"a","id":"`+escaped+`"}`), protocol.ParseOptions{})
	if err != nil || e.ID != protocol.StringID(strings.Repeat("a", protocol.MaxIDBytes)) {
		t.Errorf("got %v, %v", e.ID, err)
	}
}
