package protocol

import "unicode/utf8"

// maxNesting is how deep encoding/json reads: what is deeper nobody could decode.
const maxNesting = 10000

// Valid tells whether data can be the Data of an [Envelope]: JSON (RFC 8259), no
// deeper than encoding/json reads, and in UTF-8, which it may not be in strings
// that encoding/json takes.
func Valid(data []byte) bool { return validJSON(data) && utf8.Valid(data) }

func validJSON(data []byte) bool {
	s := scanner{text: data}
	s.space()
	_, ok := s.value()
	s.space()
	return ok && s.pos == len(data) && s.deepest <= maxNesting
}
