package broker_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/finch-go/finch/broker"
)

func TestTextOfAPosition(t *testing.T) {
	tests := []struct {
		position broker.Position
		text     string
	}{
		{broker.Position{}, ""},
		{broker.Position{Epoch: "e"}, "e.0.0"},
		{broker.Position{Epoch: "Ab-9_", Offset: 10, Tag: 10}, "Ab-9_.10.a"},
		{broker.Position{Epoch: strings.Repeat("z", 32), Offset: math.MaxUint64, Tag: math.MaxUint64},
			strings.Repeat("z", 32) + ".18446744073709551615.ffffffffffffffff"},
	}
	for _, tt := range tests {
		if got := tt.position.String(); got != tt.text {
			t.Errorf("%+v has text %q, want %q", tt.position, got, tt.text)
		}
		if got, err := broker.ParsePosition(tt.text); err != nil || got != tt.position {
			t.Errorf("%q parses as %+v, %v", tt.text, got, err)
		}
		if len(tt.text) > broker.MaxPositionText {
			t.Errorf("%q is longer than MaxPositionText", tt.text)
		}
	}
}

func TestTextThatIsNoPosition(t *testing.T) {
	for _, text := range []string{
		".", "..", "e", "e.1", "e.1.", "e..1", ".1.1", "e.1.1.1", "e.1.1.", // its form
		"e e.1.1", "é.1.1", "e\x00.1.1", strings.Repeat("e", 33) + ".1.1", // its epoch
		"e.01.1", "e.+1.1", "e.-1.1", "e.a.1", "e.1_0.1", "e.18446744073709551616.1", "e. 1.1", // its offset
		"e.1.01", "e.1.A", "e.1.g", "e.1.0x1", "e.1.10000000000000000", "e.1.1 ", // its tag
		strings.Repeat("9", 1<<20),
	} {
		p, err := broker.ParsePosition(text)
		if !errors.Is(err, broker.ErrBadPosition) || !p.IsZero() {
			t.Errorf("%.40q parses as %+v, %v", text, p, err)
		}
		if err != nil && len(err.Error()) > 120 {
			t.Errorf("the error of %.40q is %d bytes long", text, len(err.Error()))
		}
		before := broker.Position{Epoch: "kept", Offset: 1, Tag: 1}
		p = before
		if err := p.UnmarshalText([]byte(text)); !errors.Is(err, broker.ErrBadPosition) || p != before {
			t.Errorf("%.40q unmarshals as %+v, %v", text, p, err)
		}
	}
}

func TestPositionTravelsInJSON(t *testing.T) {
	type note struct {
		Position broker.Position `json:"position"`
		Nowhere  broker.Position `json:"nowhere,omitzero"`
	}
	in := note{Position: broker.Position{Epoch: "e", Offset: 7, Tag: 255}}
	b, err := json.Marshal(in)
	if err != nil || string(b) != `{"position":"e.7.ff"}` {
		t.Fatalf("%s, %v", b, err)
	}
	var out note
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Fatalf("%+v, %v", out, err)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, seed := range []string{"", "e.0.0", "Ab-9_.10.a", "e.01.1", "e.18446744073709551615.ffffffffffffffff", "e.1.1.1", "é.1.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := broker.ParsePosition(text)
		if err != nil {
			if !errors.Is(err, broker.ErrBadPosition) || !p.IsZero() {
				t.Fatalf("%q gives %+v and %v", text, p, err)
			}
			return
		}
		if p.String() != text {
			t.Fatalf("%q comes back as %q", text, p.String())
		}
		if p.IsZero() != (text == "") {
			t.Fatalf("%q is from nowhere: %v", text, p.IsZero())
		}
	})
}
