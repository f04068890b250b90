package protocol_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/finch-go/finch/protocol"
)

// codeOf names the outcome of Parse as the oracle does.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	var bad *protocol.ParseError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, protocol.ErrNotEnvelope):
		return "bare"
	case errors.As(err, &bad):
		if bad.Status != 400 || bad.Message == "" || !utf8.ValidString(bad.Message) {
			t.Errorf("incomplete error %+v", bad)
		}
		if bad.Path != "" && protocol.CheckPath(bad.Path) != nil {
			t.Errorf("the error carries a bad path: %q", bad.Path)
		}
		return bad.Code
	}
	t.Fatalf("unexpected error %v", err)
	return ""
}

func FuzzParse(f *testing.F) {
	for _, g := range golden(f) {
		if g.Form == "text" {
			f.Add([]byte(g.Wire), 0)
		}
	}
	for _, text := range []string{
		`{"path":"a","data":[[[[]]]]}`, `{"path":"\u0061\ud83d\ude00","id":"\ud800\udc00"}`,
		`{"path":"a","id":-0,"data":{"":[{},[],-1.5E+3,true,false,null,"\\\/\b\f\n\r\t\""]}}`,
		`{"path":"a","error":{"code":"a","\u0063ode":1e999}}`,
		`{"data":` + strings.Repeat(`[{"a":`, 70) + `1` + strings.Repeat("}]", 70) + `,"path":"a","id":1}`,
	} {
		f.Add([]byte(text), 3)
		f.Add([]byte(text), 200)
	}
	f.Fuzz(func(t *testing.T, text []byte, maxDepth int) {
		if len(text) > 9000 { // encoding/json ends at a depth of 10,000
			return
		}
		before := bytes.Clone(text)
		e, err := protocol.Parse(text, protocol.ParseOptions{MaxDepth: maxDepth})
		if !bytes.Equal(before, text) {
			t.Fatal("the text was written to")
		}
		if maxDepth <= 0 {
			maxDepth = protocol.DefaultMaxDepth
		}
		want, code := oracle(text, maxDepth)
		if got := codeOf(t, err); got != code {
			t.Fatalf("%q: got %q, want %q", text, got, code)
		}
		if err == nil && !equal(e, want) {
			t.Fatalf("%q:\ngot  %+v\nwant %+v", text, e, want)
		}
		if err != nil && !equal(e, protocol.Envelope{}) {
			t.Fatalf("an error beside %+v", e)
		}
	})
}

func FuzzParseBinary(f *testing.F) {
	for _, g := range golden(f) {
		if g.Form == "binary" {
			f.Add(g.bytes(f))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, payload, err := protocol.ParseBinary(frame, protocol.ParseOptions{})
		if code := codeOf(t, err); code != "" {
			if code == "bare" || payload != nil || !equal(e, protocol.Envelope{}) {
				t.Fatalf("code %s beside %v and %+v", code, payload, e)
			}
			return
		}
		n := int(binary.BigEndian.Uint32(frame))
		if !bytes.Equal(payload, frame[4+n:]) {
			t.Fatalf("payload is %q", payload)
		}
		text, err := protocol.Parse(frame[4:4+n], protocol.ParseOptions{})
		if err != nil || !equal(e, text) {
			t.Fatalf("as a text: %+v, %v", text, err)
		}
		again, payload2, err := protocol.ParseBinary(protocol.AppendBinary(nil, &e, payload), protocol.ParseOptions{})
		if err != nil || !equal(again, e) || !bytes.Equal(payload2, payload) {
			t.Fatalf("written and read again: %+v, %v", again, err)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("chat.say", "id", int64(0), 200, int64(1700000000000), `{"a":1}`, "full", "پر است", "room", "سارا")
	f.Add("پیام/😀\u2028<&>", "", int64(-9), 0, int64(0), "", "", "", "\x00\x1f\"\\", "\xff")
	f.Fuzz(func(t *testing.T, path, id string, number int64, status int, stamp int64, data, code, message, room, from string) {
		e := protocol.Envelope{
			Path: path, Status: status, Timestamp: stamp, Room: room, From: from,
			Position: from + room, Client: room, Language: from,
		}
		switch {
		case number != 0:
			e.ID = protocol.IntID(number)
		case id != "":
			e.Reply = protocol.StringID(id)
		}
		if code != "" || message != "" {
			e.Error = &protocol.Error{Code: code, Message: message}
		}
		if json.Valid([]byte(data)) && depth([]byte(data)) < 64 {
			e.Data = json.RawMessage(strings.Trim(data, " \t\r\n"))
		}
		text := protocol.Append([]byte("before"), &e)[len("before"):]
		if !json.Valid(text) {
			t.Fatalf("not JSON: %q", text)
		}
		got, err := protocol.Parse(text, protocol.ParseOptions{})
		if protocol.CheckPath(path) != nil && e.Reply.IsZero() || path != "" && protocol.CheckPath(mend(path)) != nil ||
			len(mend(id)) > protocol.MaxIDBytes || status != 0 && (status < 100 || status > 999) {
			return // not a message that may be written
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if e.Data == nil && e.Error == nil {
			e.Data = json.RawMessage("null")
		}
		for _, s := range []*string{&e.Path, &e.Room, &e.From, &e.Position, &e.Client, &e.Language} {
			*s = mend(*s)
		}
		if e.Error != nil {
			e.Error.Code, e.Error.Message = mend(code), mend(message)
		}
		if !equal(got, e) {
			t.Fatalf("%q:\ngot  %+v\nwant %+v", text, got, e)
		}
	})
}

// mend does to s what encoding/json does: each byte that is not UTF-8 becomes
// U+FFFD.
func mend(s string) string { return string([]rune(s)) }
