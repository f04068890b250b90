package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"unicode/utf8"
)

var (
	errDataJSON = errors.New("protocol: data is a json.RawMessage that is not valid JSON")
	errDataUTF8 = errors.New("protocol: data is not valid UTF-8, which a text message must be")
)

// buffers are shared by calls of Marshal: encoding/json grows one by doubling,
// and the copy that is handed out has the exact size.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled keeps one huge message from holding its buffer for ever.
const maxPooled = 64 << 10

// Marshal returns v as JSON for the Data of an [Envelope], as encoding/json
// does, but without HTML escapes: <, > and & stay as they are. A
// json.RawMessage is checked and returned itself, not copied; a nil one is
// null. A []byte becomes base64 as in encoding/json: bytes that should travel
// as they are belong in [AppendBinary]. The error is that of encoding/json, or
// says that the JSON is invalid or is not UTF-8.
func Marshal(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case nil:
		return json.RawMessage("null"), nil
	case string:
		return appendString(make([]byte, 0, len(v)+2), v), nil
	case json.RawMessage:
		if v == nil {
			return json.RawMessage("null"), nil
		}
		if !validJSON(v) {
			return nil, errDataJSON
		}
		return checkUTF8(v)
	}
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	data := bytes.Clone(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	if b.Cap() <= maxPooled {
		buffers.Put(b)
	}
	return checkUTF8(data)
}

func checkUTF8(data json.RawMessage) (json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errDataUTF8
	}
	return data, nil
}
