package protocol_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/finch-go/finch/protocol"
)

func TestMarshalWritesPlainJSON(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, `null`},
		{"<a href=\"x\">&", `"<a href=\"x\">&"`},
		{"سلام\n", `"سلام\n"`},
		{"\xff", "\"\ufffd\""},
		{[]any{"<", 1, nil}, `["<",1,null]`},
		{map[string]string{"b": "&", "a": ">"}, `{"a":">","b":"&"}`},
		{[]byte("abc"), `"YWJj"`},
		{json.RawMessage(`{"a": 1}`), `{"a": 1}`},
		{json.RawMessage(nil), `null`},
		{struct {
			R json.RawMessage `json:"r"`
		}{json.RawMessage(`"<"`)}, `{"r":"<"}`},
	} {
		got, err := protocol.Marshal(c.v)
		if err != nil || string(got) != c.want {
			t.Errorf("%#v: got %s, %v; want %s", c.v, got, err, c.want)
		}
	}
}

func TestMarshalRefusesWhatCannotTravel(t *testing.T) {
	for _, v := range []any{
		json.RawMessage(`{`), json.RawMessage(``), json.RawMessage("\"\xff\""),
		struct{ R json.RawMessage }{json.RawMessage("\"\xff\"")},
		math.NaN(), make(chan int), func() {},
	} {
		if data, err := protocol.Marshal(v); err == nil || data != nil {
			t.Errorf("%#v: got %q, %v", v, data, err)
		}
	}
}

func TestMarshalledDataIsTheCallers(t *testing.T) {
	first, err := protocol.Marshal([]int{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := protocol.Marshal(map[string]string{"x": strings.Repeat("y", 50)}); err != nil {
			t.Fatal(err)
		}
	}
	if string(first) != "[1,2,3]" {
		t.Errorf("a later call wrote %s over it", first)
	}
}
