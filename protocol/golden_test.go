package protocol_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/finch-go/finch/protocol"
)

// goldenMessage is one file of testdata/golden. The messages are shared by
// every implementation of the wire, so the files hold nothing that belongs to
// Go. See testdata/golden/README.md.
type goldenMessage struct {
	Name, About, Direction string
	Form                   string // "text" or "binary"
	Wire                   string // the text
	Hex                    string // the binary message
	Result                 string // "envelope", "bare" or "refused"
	Envelope               *goldenEnvelope
	Payload                string // of a binary message, in hex
	Written                bool   // this is also how the envelope is written
	Status                 int    // of the refusal, as the following
	Code                   string
	ID, Reply              json.RawMessage
	Path                   string
}

type goldenEnvelope struct {
	Path                                            string
	ID, Reply                                       json.RawMessage
	Status                                          int
	Timestamp                                       int64
	Data                                            json.RawMessage
	Error                                           *protocol.Error
	Room, To, Position, From, Key, Client, Language string
}

func (g *goldenMessage) bytes(t testing.TB) []byte {
	t.Helper()
	if g.Form == "text" {
		return []byte(g.Wire)
	}
	b, err := hex.DecodeString(g.Hex)
	if err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	return b
}

func (g *goldenEnvelope) envelope(t testing.TB) protocol.Envelope {
	t.Helper()
	return protocol.Envelope{
		Path: g.Path, ID: goldenID(t, g.ID), Reply: goldenID(t, g.Reply), Status: g.Status,
		Timestamp: g.Timestamp, Data: g.Data, Error: g.Error, Room: g.Room, Position: g.Position,
		To: g.To, From: g.From, Key: g.Key, Client: g.Client, Language: g.Language,
	}
}

func goldenID(t testing.TB, raw json.RawMessage) protocol.ID {
	t.Helper()
	if raw == nil {
		return protocol.ID{}
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return protocol.StringID(s)
	}
	var n int64
	if err := json.Unmarshal(raw, &n); err != nil {
		t.Fatal(err)
	}
	return protocol.IntID(n)
}

const goldenDir = "testdata/golden"

// golden reads all messages in the order of the index.
func golden(t testing.TB) []*goldenMessage {
	t.Helper()
	var names []string
	readJSON(t, filepath.Join(goldenDir, "index.json"), &names)
	messages := make([]*goldenMessage, len(names))
	for i, name := range names {
		readJSON(t, filepath.Join(goldenDir, name+".json"), &messages[i])
		if messages[i].Name != name {
			t.Fatalf("%s.json calls itself %q", name, messages[i].Name)
		}
	}
	return messages
}

func readJSON(t testing.TB, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func TestGoldenIndexNamesEveryFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(files)-1, len(golden(t)); got != want {
		t.Errorf("%d files of messages, %d names in index.json", got, want)
	}
}

func TestGoldenMessagesShowEveryRefusal(t *testing.T) {
	said, caused := map[string]bool{}, map[string]bool{}
	for _, g := range golden(t) {
		caused[g.Code] = true
		if g.Envelope != nil && g.Envelope.Error != nil {
			code := g.Envelope.Error.Code
			if r, ok := protocol.RefusalOf(code); ok {
				said[code] = true
				if r.Status != g.Envelope.Status {
					t.Errorf("%s: status %d, the table has %d", g.Name, g.Envelope.Status, r.Status)
				}
			}
		}
	}
	for _, r := range protocol.Refusals() {
		if !said[r.Code] {
			t.Errorf("no golden message in which the server says %s", r.Code)
		}
	}
	for _, code := range []string{"bad_envelope", "no_path", "bad_path", "bad_id", "bad_binary", "too_deep"} {
		if !caused[code] {
			t.Errorf("no golden message that is refused with %s", code)
		}
	}
}

func TestGoldenMessages(t *testing.T) {
	for _, g := range golden(t) {
		t.Run(g.Name, func(t *testing.T) {
			var e protocol.Envelope
			var payload []byte
			var err error
			if g.Form == "text" {
				e, err = protocol.Parse(g.bytes(t), protocol.ParseOptions{})
			} else {
				e, payload, err = protocol.ParseBinary(g.bytes(t), protocol.ParseOptions{})
			}
			switch g.Result {
			case "envelope":
				if err != nil {
					t.Fatal(err)
				}
				checkGoldenEnvelope(t, g, e, payload)
			case "bare":
				if !errors.Is(err, protocol.ErrNotEnvelope) {
					t.Errorf("got %v, want ErrNotEnvelope", err)
				}
			case "refused":
				var bad *protocol.ParseError
				if !errors.As(err, &bad) {
					t.Fatalf("got %v, want a ParseError", err)
				}
				want := protocol.ParseError{
					Status: g.Status, Code: g.Code, Message: bad.Message,
					ID: goldenID(t, g.ID), Reply: goldenID(t, g.Reply), Path: g.Path,
				}
				if *bad != want {
					t.Errorf("got  %+v\nwant %+v", *bad, want)
				}
			default:
				t.Fatalf("result %q", g.Result)
			}
		})
	}
}

func checkGoldenEnvelope(t *testing.T, g *goldenMessage, e protocol.Envelope, payload []byte) {
	t.Helper()
	want := g.Envelope.envelope(t)
	if g.Written {
		got := string(protocol.Append(nil, &e))
		if g.Form == "binary" {
			got = hex.EncodeToString(protocol.AppendBinary(nil, &e, payload))
		}
		if got != g.Wire+g.Hex {
			t.Errorf("written as %s\nwant       %s", got, g.Wire+g.Hex)
		}
	}
	if hex.EncodeToString(payload) != g.Payload {
		t.Errorf("payload %x, want %s", payload, g.Payload)
	}
	if (e.Data == nil) != (want.Data == nil) || e.Data != nil && !reflect.DeepEqual(decoded(t, e.Data), decoded(t, want.Data)) {
		t.Errorf("data %s, want %s", e.Data, want.Data)
	}
	e.Data, want.Data = nil, nil
	if !equal(e, want) {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
}

func decoded(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
