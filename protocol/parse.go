package protocol

import "errors"

// DefaultMaxDepth is how deep a message may nest arrays and objects, its own
// braces counted, unless [ParseOptions] say otherwise.
const DefaultMaxDepth = 64

// maxMaxDepth is what encoding/json decodes at most: whatever passes here, a
// handler can decode.
const maxMaxDepth = 10000

// ParseOptions are the limits of [Parse]. The zero value is ready to use.
type ParseOptions struct {
	// MaxDepth is how deep arrays and objects may nest, the envelope itself
	// counted. 0 or less means DefaultMaxDepth; 10,000 is the most.
	MaxDepth int
}

// ErrNotEnvelope is returned by [Parse] for a text that is no JSON object at
// all: not JSON, or an array, a string, a number. It may be an app's own text.
var ErrNotEnvelope = errors.New("protocol: not a JSON object")

// ParseError is the error of [Parse] and [ParseBinary] for a message that is
// meant to be an envelope but is a bad one. It says what to answer to the
// sender; Message is written for the client.
type ParseError struct {
	Status  int    // 400
	Code    string // a Refusal constant
	Message string
	ID      ID     // of the bad message, if it could be read
	Reply   ID     // of the bad message, if it could be read: never answer an answer
	Path    string // of the bad message, if it could be read
}

// Error returns the code and the message.
func (e *ParseError) Error() string {
	return "protocol: " + e.Code + ": " + e.Message
}

// Parse reads one envelope from a text. Names of fields are exact: case matters
// and no known field may come twice. Unknown fields are passed over but must be
// valid JSON. Strings are copied; Data aliases text, so whoever keeps it keeps
// text. Bad text is never fatal: the error is [ErrNotEnvelope] or a
// [*ParseError], and the Envelope is then zero.
func Parse(text []byte, o ParseOptions) (Envelope, error) {
	p := parser{scanner: scanner{text: text, maxDepth: o.MaxDepth}}
	if p.maxDepth <= 0 {
		p.maxDepth = DefaultMaxDepth
	}
	p.maxDepth = min(p.maxDepth, maxMaxDepth)
	if !p.object() {
		return Envelope{}, ErrNotEnvelope
	}
	p.whole()
	if p.code != "" {
		return Envelope{}, &ParseError{
			Status: StatusBadRequest, Code: p.code, Message: p.message,
			ID: p.ID, Reply: p.Reply, Path: p.Path,
		}
	}
	return p.Envelope, nil
}

// parser reads an envelope to its end even when a field is bad, so that the
// answer can name the id and the path, wherever these stand. The first fault
// counts.
type parser struct {
	scanner
	Envelope
	seen          field
	code, message string // of the first fault
}

func (p *parser) fault(code, message string) {
	if p.code == "" {
		p.code, p.message = code, message
	}
}

// object walks over the whole text. It returns false if that is not one JSON
// object.
func (p *parser) object() bool {
	p.space()
	if p.peek() != '{' {
		return false
	}
	p.pos++
	p.space()
	if p.peek() == '}' {
		p.pos++
		return p.end()
	}
	for {
		if !p.member() {
			return false
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case '}':
			p.pos++
			return p.end()
		default:
			return false
		}
	}
}

func (p *parser) end() bool {
	p.space()
	return p.pos == len(p.text)
}

// member reads one name and its value.
func (p *parser) member() bool {
	if p.peek() != '"' {
		return false
	}
	name, ok := p.value()
	if !ok || !p.colon() {
		return false
	}
	value, ok := p.value()
	if !ok {
		return false
	}
	if p.deepest+1 > p.maxDepth { // the envelope's own braces are one level
		p.fault(RefusalTooDeep, "arrays and objects nest too deep")
	}
	if f := p.fieldAt(name); f != 0 {
		if p.seen&f != 0 {
			p.twice(f)
		} else {
			p.seen |= f
			p.set(f, value)
		}
	}
	return true
}

// fieldAt tells which field a name is, escaped or not.
func (p *parser) fieldAt(name token) field {
	inner := p.text[name.start+1 : name.end-1]
	if !name.escaped {
		return fieldOf(string(inner))
	}
	var room [len(`\u0000`) * len("timestamp")]byte
	if len(inner) > len(room) { // longer than any known name, escaped letter by letter
		return 0
	}
	text, _ := unescape(room[:0], inner)
	return fieldOf(string(text))
}

// twice forgets the field if it would say where the answer goes: which of the
// two the sender meant is anyone's guess.
func (p *parser) twice(f field) {
	p.fault(RefusalBadEnvelope, f.String()+" comes twice")
	switch f {
	case fieldPath:
		p.Path = ""
	case fieldID:
		p.ID = ID{}
	case fieldReply:
		p.Reply = ID{}
	}
}

// whole checks what no field can tell alone.
func (p *parser) whole() {
	answer := p.seen&fieldReply != 0
	switch {
	case answer && p.seen&fieldID != 0:
		p.fault(RefusalBadEnvelope, "a message has an id or a reply, not both")
	case answer:
	case p.seen&fieldPath == 0:
		p.fault(RefusalNoPath, "path is missing")
	case p.Path == "":
		p.fault(RefusalBadPath, errPathEmpty.Error())
	}
}
