package protocol_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/finch-go/finch/protocol"
)

// deep nests n arrays.
func deep(n int) string {
	return strings.Repeat("[", n) + strings.Repeat("]", n)
}

func TestEnvelopeIsRead(t *testing.T) {
	text := ` {"path":"chat\/say", "id":7 ,"status":200,"timestamp":1700000000000,` +
		`"data":{"a":[1,2,{"b":null}]},"room":"r","position":"e.1.t","from":"sara","client":"c1",` +
		`"language":"fa","error":{"message":"پر است","code":"full","more":[]},"unknown":{"path":1}}` + "\n"
	e, err := protocol.Parse([]byte(text), protocol.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if e.Error == nil || *e.Error != (protocol.Error{Code: "full", Message: "پر است"}) {
		t.Errorf("error is %+v", e.Error)
	}
	if got := string(e.Data); got != `{"a":[1,2,{"b":null}]}` {
		t.Errorf("data is %s", got)
	}
	e.Error, e.Data = nil, nil
	want := protocol.Envelope{
		Path: "chat/say", ID: protocol.IntID(7), Status: 200, Timestamp: 1700000000000,
		Room: "r", Position: "e.1.t", From: "sara", Client: "c1", Language: "fa",
	}
	if !equal(e, want) {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
}

// equal compares envelopes by value: same meaning, same bytes of data.
func equal(a, b protocol.Envelope) bool {
	if (a.Error == nil) != (b.Error == nil) || a.Error != nil && *a.Error != *b.Error {
		return false
	}
	if (a.Data == nil) != (b.Data == nil) || string(a.Data) != string(b.Data) {
		return false
	}
	return a.Path == b.Path && a.ID == b.ID && a.Reply == b.Reply && a.Status == b.Status &&
		a.Timestamp == b.Timestamp && a.Room == b.Room && a.Position == b.Position &&
		a.From == b.From && a.Client == b.Client && a.Language == b.Language
}

func TestTextThatIsNoObjectIsNotEnvelope(t *testing.T) {
	for _, text := range []string{
		"", " ", "سلام سرور!", `"text"`, "12", "null", "true", `[{"path":"a"}]`, "{", "{}{}", `{"path"}`,
		`{"path":}`, `{"path":"a",}`, `{,"path":"a"}`, `{path:"a"}`, `{"path":'a'}`, `{"path":"a"} x`,
		`{"path":"a" "id":1}`, `{"path":"\x"}`, `{"path":"\u12g4"}`, "{\"path\":\"a\nb\"}", `{"path":"a`,
		`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":+1}`, `{"a":tru}`, `{"a":nulls}`,
		`{"a":[1,]}`, `{"a":[}`, `{"a":{"b":1]}`, "\ufeff{}", "{}\x00", "\x00{}", "{\x00}", `{"a":NaN}`,
		`{"data":` + strings.Repeat("[", 1000),
	} {
		if _, err := protocol.Parse([]byte(text), protocol.ParseOptions{}); !errors.Is(err, protocol.ErrNotEnvelope) {
			t.Errorf("%.40q: got %v, want ErrNotEnvelope", text, err)
		}
	}
}

func TestBadEnvelopeIsRefused(t *testing.T) {
	long := strings.Repeat("a", 129)
	for _, c := range []struct{ text, code string }{
		{`{}`, "no_path"},
		{`{"id":1}`, "no_path"},
		{`{"Path":"a"}`, "no_path"},
		{`{"path":""}`, "bad_path"},
		{`{"path":null}`, "bad_path"},
		{`{"path":["a"]}`, "bad_path"},
		{`{"path":"` + long + `"}`, "bad_path"},
		{`{"path":"` + strings.Repeat(`\u0061`, 129) + `"}`, "bad_path"},
		{`{"path":"` + strings.Repeat(`a`, 10000) + `"}`, "bad_path"},
		{`{"path":"a\nb"}`, "bad_path"},
		{`{"path":"a\u0000"}`, "bad_path"},
		{`{"path":"\ud800"}`, "bad_path"},
		{"{\"path\":\"\xff\"}", "bad_path"},
		{`{"path":"a","id":null}`, "bad_id"},
		{`{"path":"a","id":1.0}`, "bad_id"},
		{`{"path":"a","id":1e3}`, "bad_id"},
		{`{"path":"a","id":true}`, "bad_id"},
		{`{"path":"a","id":{}}`, "bad_id"},
		{`{"path":"a","id":9223372036854775808}`, "bad_id"},
		{`{"path":"a","id":-9223372036854775809}`, "bad_id"},
		{`{"path":"a","id":100000000000000000000000000}`, "bad_id"},
		{`{"path":"a","id":"` + long + `"}`, "bad_id"},
		{`{"path":"a","id":"` + strings.Repeat(`\n`, 129) + `"}`, "bad_id"},
		{`{"path":"a","id":"\udc00\ud800"}`, "bad_id"},
		{"{\"path\":\"a\",\"id\":\"\xff\"}", "bad_id"},
		{`{"path":"a","reply":[]}`, "bad_id"},
		{`{"path":"a","path":"a"}`, "bad_envelope"},
		{`{"path":"a","\u0070ath":"a"}`, "bad_envelope"},
		{`{"path":"a","data":1,"data":1}`, "bad_envelope"},
		{`{"path":"a","id":1,"reply":1}`, "bad_envelope"},
		{`{"path":"a","status":"200"}`, "bad_envelope"},
		{`{"path":"a","status":99}`, "bad_envelope"},
		{`{"path":"a","status":1000}`, "bad_envelope"},
		{`{"path":"a","timestamp":1.5}`, "bad_envelope"},
		{`{"path":"a","timestamp":null}`, "bad_envelope"},
		{`{"path":"a","room":1}`, "bad_envelope"},
		{`{"path":"a","position":1}`, "bad_envelope"},
		{`{"path":"a","from":{}}`, "bad_envelope"},
		{`{"path":"a","client":false}`, "bad_envelope"},
		{`{"path":"a","language":["fa"]}`, "bad_envelope"},
		{`{"path":"a","error":"no"}`, "bad_envelope"},
		{`{"path":"a","error":null}`, "bad_envelope"},
		{`{"path":"a","error":{"code":1}}`, "bad_envelope"},
		{`{"path":"a","error":{"code":"a","code":"b"}}`, "bad_envelope"},
		{`{"path":"a","data":` + deep(64) + `}`, "too_deep"},
		{`{"path":"a","other":` + deep(64) + `}`, "too_deep"},
		{`{"path":"a","data":` + deep(100000) + `}`, "too_deep"},
	} {
		_, err := protocol.Parse([]byte(c.text), protocol.ParseOptions{})
		var bad *protocol.ParseError
		if !errors.As(err, &bad) {
			t.Errorf("%.60q: got %v, want a ParseError", c.text, err)
		} else if bad.Code != c.code || bad.Status != 400 || bad.Message == "" {
			t.Errorf("%.60q: got %d %v, want 400 %s", c.text, bad.Status, err, c.code)
		}
	}
}

func TestDepthIsCountedWithTheEnvelope(t *testing.T) {
	for _, c := range []struct {
		max, arrays int
		ok          bool
	}{
		{0, 63, true}, {0, 64, false}, {-1, 63, true}, {-1, 64, false},
		{1, 0, true}, {1, 1, false}, {65, 64, true}, {65, 65, false}, {128, 127, true}, {129, 129, false},
		{10000, 9999, true}, {10000, 10000, false}, {1 << 30, 9999, true}, {1 << 30, 10000, false},
	} {
		data := deep(c.arrays)
		if c.arrays == 0 {
			data = "1"
		}
		for _, text := range []string{`{"path":"a","data":` + data + `}`, `{"x":` + data + `,"path":"a","data":[]}`} {
			if c.max == 1 && strings.Contains(text, "[]}") {
				continue
			}
			_, err := protocol.Parse([]byte(text), protocol.ParseOptions{MaxDepth: c.max})
			if c.ok && err != nil || !c.ok && codeOf(t, err) != "too_deep" {
				t.Errorf("%d arrays within %d: %v", c.arrays, c.max, err)
			}
		}
	}
}

func TestRefusalNamesIDAndPathWhereverTheyStand(t *testing.T) {
	for _, text := range []string{
		`{"status":"x","path":"a","id":7}`, `{"id":7,"status":"x","path":"a"}`, `{"id":7,"path":"a","status":"x"}`,
		`{"data":` + deep(70) + `,"path":"a","id":7}`,
	} {
		_, err := protocol.Parse([]byte(text), protocol.ParseOptions{})
		var bad *protocol.ParseError
		if !errors.As(err, &bad) || bad.ID != protocol.IntID(7) || bad.Path != "a" {
			t.Errorf("%.40s: got %+v", text, bad)
		}
	}
}

func TestFirstFaultCounts(t *testing.T) {
	_, err := protocol.Parse([]byte(`{"path":1,"id":{},"status":"x"}`), protocol.ParseOptions{})
	if codeOf(t, err) != "bad_path" {
		t.Errorf("got %v", err)
	}
}

func TestDataAliasesOnlyItsOwnBytes(t *testing.T) {
	text := []byte(`{"path":"a","data":[1],"id":2}`)
	e, err := protocol.Parse(text, protocol.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if &e.Data[0] != &text[len(`{"path":"a","data":`)] {
		t.Error("data was copied")
	}
	_ = append(e.Data, "????"...)
	if want := `{"path":"a","data":[1],"id":2}`; string(text) != want {
		t.Errorf("appending to data wrote into the text: %s", text)
	}
}

func TestStringsDoNotAliasTheText(t *testing.T) {
	text := []byte(`{"path":"aaaa","id":"bbbb","from":"cccc"}`)
	e, err := protocol.Parse(text, protocol.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] = '?'
	}
	if e.Path != "aaaa" || e.ID != protocol.StringID("bbbb") || e.From != "cccc" {
		t.Errorf("got %+v", e)
	}
}

func TestReadingAllocatesOnlyStrings(t *testing.T) {
	for _, c := range []struct {
		text   string
		allocs float64
	}{
		{`{"path":"a"}`, 1},
		{`{"path":"chat.say","id":17,"data":{"text":"سلام","list":[1,{"a":null}]}}`, 2},
		{`{"path":"a","data":` + deep(63) + `}`, 1},
		{"سلام سرور!", 0},
	} {
		text := []byte(c.text)
		if n := testing.AllocsPerRun(100, func() { _, _ = protocol.Parse(text, protocol.ParseOptions{}) }); n > c.allocs {
			t.Errorf("%.40s: %v allocations, want %v", c.text, n, c.allocs)
		}
	}
}

func TestStringsEndWhereverTheyEnd(t *testing.T) {
	// The scanner takes eight bytes at a time: each special byte at each place.
	for n := range 40 {
		fill := strings.Repeat("a", n)
		for _, c := range []struct{ middle, want string }{
			{"", ""}, {`\"`, `"`}, {`\\`, `\`}, {`\u00e9`, "é"}, {`\u00E9\u06CC\uD83D\uDE00`, "éی😀"}, {"é", "é"}, {"\x7f", "\x7f"}, {"!#[]", "!#[]"}, {"\xa0\xdc\xa2", "\ufffd\u0722"},
		} {
			e, err := protocol.Parse([]byte(`{"path":"a","from":"`+fill+c.middle+fill+`"}`), protocol.ParseOptions{})
			if err != nil || e.From != fill+c.want+fill {
				t.Errorf("%d and %q: got %q, %v", n, c.middle, e.From, err)
			}
		}
		for control := range byte(' ') {
			text := `{"path":"a","from":"` + fill + string(rune(control)) + fill + `"}`
			if _, err := protocol.Parse([]byte(text), protocol.ParseOptions{}); !errors.Is(err, protocol.ErrNotEnvelope) {
				t.Errorf("%q: got %v", text, err)
			}
		}
	}
}
