package protocol_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/finch-go/finch/protocol"
)

// oracle reads an envelope the slow way, with encoding/json, by the rules of
// the wire. It returns the code of the first fault; "bare" stands for a text
// that is no JSON object.
func oracle(text []byte, maxDepth int) (e protocol.Envelope, code string) {
	if object := bytes.TrimLeft(text, " \t\r\n"); !json.Valid(text) || object[0] != '{' {
		return e, "bare"
	}
	o := reading{seen: map[string]bool{}}
	d := json.NewDecoder(bytes.NewReader(text))
	mustToken(d)
	for d.More() {
		name := mustToken(d).(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			panic(err)
		}
		if 1+depth(raw) > maxDepth {
			o.fault("too_deep")
		}
		o.member(name, raw)
	}
	if o.seen["reply"] && o.seen["id"] {
		o.fault("bad_envelope")
	}
	if !o.seen["reply"] && !o.seen["path"] {
		o.fault("no_path")
	}
	if !o.seen["reply"] && o.e.Path == "" {
		o.fault("bad_path")
	}
	return o.e, o.code
}

type reading struct {
	e    protocol.Envelope
	code string
	seen map[string]bool
}

func (o *reading) fault(code string) {
	if o.code == "" {
		o.code = code
	}
}

func (o *reading) member(name string, raw json.RawMessage) {
	if !strings.Contains(" path id reply status timestamp data error room to position from key client language ", " "+name+" ") ||
		strings.Contains(name, " ") || name == "" {
		return
	}
	if o.seen[name] {
		o.fault("bad_envelope")
		return
	}
	o.seen[name] = true
	texts := map[string]*string{
		"room": &o.e.Room, "position": &o.e.Position, "from": &o.e.From,
		"to": &o.e.To, "key": &o.e.Key,
		"client": &o.e.Client, "language": &o.e.Language,
	}
	switch name {
	case "path":
		var p string
		if json.Unmarshal(raw, &p) != nil || raw[0] != '"' || len(p) > 128 || mended(raw) ||
			strings.ContainsFunc(p, func(r rune) bool { return r < 32 }) {
			o.fault("bad_path")
			return
		}
		o.e.Path = p
	case "id":
		o.e.ID = o.id(raw)
	case "reply":
		o.e.Reply = o.id(raw)
	case "status":
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || n < 100 || n > 999 {
			o.fault("bad_envelope")
		}
		o.e.Status = int(n)
	case "timestamp":
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			o.fault("bad_envelope")
		}
		o.e.Timestamp = n
	case "data":
		o.e.Data = raw
	case "error":
		o.errorOf(raw)
	default:
		if raw[0] != '"' || json.Unmarshal(raw, texts[name]) != nil {
			o.fault("bad_envelope")
		}
	}
}

func (o *reading) id(raw json.RawMessage) protocol.ID {
	if raw[0] == '"' {
		var s string
		if json.Unmarshal(raw, &s) == nil && len(s) <= 128 && !mended(raw) {
			return protocol.StringID(s)
		}
	} else if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return protocol.IntID(n)
	}
	o.fault("bad_id")
	return protocol.ID{}
}

func (o *reading) errorOf(raw json.RawMessage) {
	if raw[0] != '{' {
		o.fault("bad_envelope")
		return
	}
	o.e.Error = new(protocol.Error)
	d := json.NewDecoder(bytes.NewReader(raw))
	mustToken(d)
	seen := map[string]bool{}
	for d.More() {
		name := mustToken(d).(string)
		var value any
		if err := d.Decode(&value); err != nil {
			if !strings.Contains(err.Error(), "cannot unmarshal number") { // 1e999 is JSON
				panic(err)
			}
			value = 0
		}
		if name != "code" && name != "message" {
			continue
		}
		text, ok := value.(string)
		if seen[name] || !ok {
			o.fault("bad_envelope")
		}
		seen[name] = true
		if name == "code" {
			o.e.Error.Code = text
		} else {
			o.e.Error.Message = text
		}
	}
}

// mended reports whether a JSON string is no Unicode text: encoding/json then
// puts U+FFFD in, so a text that held none of its own has one.
func mended(raw json.RawMessage) bool {
	if !utf8.Valid(raw) {
		return true
	}
	own := bytes.ReplaceAll(raw, []byte(`\\`), nil)
	own = bytes.ReplaceAll(own, []byte("\uFFFD"), nil)
	for _, spelling := range []string{`\ufffd`, `\uFFFD`} {
		own = bytes.ReplaceAll(own, []byte(spelling), nil)
	}
	var s string
	if err := json.Unmarshal(own, &s); err != nil {
		panic(fmt.Sprintf("%q: %v", own, err))
	}
	return strings.Contains(s, "\uFFFD")
}

// depth counts the nesting of valid JSON.
func depth(raw []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	n := 0
	for {
		t, err := d.Token()
		if err != nil {
			return deepest
		}
		switch t {
		case json.Delim('['), json.Delim('{'):
			n++
			deepest = max(deepest, n)
		case json.Delim(']'), json.Delim('}'):
			n--
		}
	}
}

func mustToken(d *json.Decoder) json.Token {
	t, err := d.Token()
	if err != nil {
		panic(err)
	}
	return t
}
