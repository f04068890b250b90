package protocol

import (
	"math/bits"
	"unicode/utf8"
)

// field is a set of known fields.
type field uint16

const (
	fieldPath field = 1 << iota
	fieldID
	fieldReply
	fieldStatus
	fieldTimestamp
	fieldData
	fieldError
	fieldRoom
	fieldPosition
	fieldFrom
	fieldKey
	fieldTo
	fieldClient
	fieldLanguage
)

func fieldOf(name string) field {
	switch name {
	case "path":
		return fieldPath
	case "id":
		return fieldID
	case "reply":
		return fieldReply
	case "status":
		return fieldStatus
	case "timestamp":
		return fieldTimestamp
	case "data":
		return fieldData
	case "error":
		return fieldError
	case "room":
		return fieldRoom
	case "position":
		return fieldPosition
	case "from":
		return fieldFrom
	case "key":
		return fieldKey
	case "to":
		return fieldTo
	case "client":
		return fieldClient
	case "language":
		return fieldLanguage
	}
	return 0
}

// String returns the name of a single field.
func (f field) String() string {
	return [...]string{
		"path", "id", "reply", "status", "timestamp", "data", "error",
		"room", "position", "from", "key", "to", "client", "language",
	}[bits.TrailingZeros16(uint16(f))]
}

// set takes the value of a field that has not been there before.
func (p *parser) set(f field, t token) {
	raw := p.text[t.start:t.end:t.end]
	switch f {
	case fieldPath:
		p.setPath(raw, t.escaped)
	case fieldID:
		p.setID(&p.ID, f, raw, t.escaped)
	case fieldReply:
		p.setID(&p.Reply, f, raw, t.escaped)
	case fieldStatus:
		n, ok := parseInt(raw)
		if !ok || n < 100 || n > 999 {
			p.fault(RefusalBadEnvelope, "status must be a whole number from 100 to 999")
			return
		}
		p.Status = int(n)
	case fieldTimestamp:
		n, ok := parseInt(raw)
		if !ok {
			p.fault(RefusalBadEnvelope, "timestamp must be a whole number of milliseconds")
		}
		p.Timestamp = n
	case fieldData:
		p.Data = raw
	case fieldError:
		p.setError(t)
	case fieldRoom:
		p.setText(&p.Room, f, raw, t.escaped)
	case fieldPosition:
		p.setText(&p.Position, f, raw, t.escaped)
	case fieldFrom:
		p.setText(&p.From, f, raw, t.escaped)
	case fieldKey:
		p.setText(&p.Key, f, raw, t.escaped)
	case fieldTo:
		p.setText(&p.To, f, raw, t.escaped)
	case fieldClient:
		p.setText(&p.Client, f, raw, t.escaped)
	case fieldLanguage:
		p.setText(&p.Language, f, raw, t.escaped)
	}
}

func (p *parser) setPath(raw []byte, escaped bool) {
	if raw[0] != '"' {
		p.fault(RefusalBadPath, "path must be a string")
		return
	}
	if len(raw)-2 > MaxPathBytes*len(`\u0000`) {
		p.fault(RefusalBadPath, errPathLong.Error())
		return
	}
	path, exact := text(raw, escaped)
	if !exact {
		p.fault(RefusalBadPath, errPathText.Error())
		return
	}
	if path == "" { // an answer may have none: whole decides
		return
	}
	if err := CheckPath(path); err != nil {
		p.fault(RefusalBadPath, err.Error())
		return
	}
	p.Path = path
}

func (p *parser) setID(id *ID, f field, raw []byte, escaped bool) {
	v, ok := parseID(raw, escaped)
	if !ok {
		p.fault(RefusalBadID, f.String()+" must be a string of at most 128 bytes or a 64-bit whole number")
	}
	*id = v
}

func (p *parser) setText(s *string, f field, raw []byte, escaped bool) {
	if raw[0] != '"' {
		p.fault(RefusalBadEnvelope, f.String()+" must be a string")
		return
	}
	*s, _ = text(raw, escaped)
}

// setError reads the error's own members out of a value that is valid JSON.
func (p *parser) setError(t token) {
	const fault = "error must be an object whose code and message are strings"
	if p.text[t.start] != '{' {
		p.fault(RefusalBadEnvelope, fault)
		return
	}
	e := new(Error)
	var code, message bool
	s := scanner{text: p.text[:t.end], pos: t.start + 1}
	for s.space(); s.peek() != '}'; s.space() {
		if s.peek() == ',' {
			s.pos++
			s.space()
		}
		name, _ := s.value()
		s.colon()
		value, _ := s.value()
		key, _ := text(s.text[name.start:name.end], name.escaped)
		seen, to := &code, &e.Code
		switch key {
		case "code":
		case "message":
			seen, to = &message, &e.Message
		default:
			continue
		}
		if *seen {
			p.fault(RefusalBadEnvelope, "error has "+key+" twice")
		}
		*seen = true
		raw := s.text[value.start:value.end]
		if raw[0] != '"' {
			p.fault(RefusalBadEnvelope, fault)
			continue
		}
		*to, _ = text(raw, value.escaped)
	}
	p.Error = e
}

// text decodes a valid JSON string with its quotes. exact is false if it is no
// Unicode text and had to be mended.
func text(raw []byte, escaped bool) (s string, exact bool) {
	inner := raw[1 : len(raw)-1]
	if !escaped && utf8.Valid(inner) {
		return string(inner), true
	}
	b, exact := unescape(make([]byte, 0, len(inner)), inner)
	return string(b), exact
}
