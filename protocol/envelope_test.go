package protocol_test

import (
	"encoding/json"
	"testing"

	"github.com/finch-go/finch/protocol"
)

func TestEnvelopeIsWrittenAfterTheBuffer(t *testing.T) {
	got := protocol.Append([]byte("before "), &protocol.Envelope{Path: "a", Data: json.RawMessage("1")})
	if want := `before {"path":"a","data":1}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEnvelopeAlwaysHasDataOrError(t *testing.T) {
	failed := &protocol.Error{Code: "full"}
	for _, c := range []struct {
		e    protocol.Envelope
		want string
	}{
		{protocol.Envelope{Path: "a"}, `{"path":"a","data":null}`},
		{protocol.Envelope{Path: "a", Data: json.RawMessage{}}, `{"path":"a","data":null}`},
		{protocol.Envelope{Path: "a", Error: failed}, `{"path":"a","error":{"code":"full","message":""}}`},
		{protocol.Envelope{Path: "a", Error: failed, Data: json.RawMessage("1")},
			`{"path":"a","data":1,"error":{"code":"full","message":""}}`},
		{protocol.Envelope{Reply: protocol.IntID(1)}, `{"path":"","reply":1,"data":null}`},
	} {
		if got := protocol.Append(nil, &c.e); string(got) != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestTextThatIsNotUTF8IsMended(t *testing.T) {
	got := protocol.Append(nil, &protocol.Envelope{Path: "a\xffb\xf0\x9f", From: "\xed\xa0\x80\ufffd"})
	want := "{\"path\":\"a\ufffdb\ufffd\ufffd\",\"from\":\"\ufffd\ufffd\ufffd\ufffd\",\"data\":null}"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	e := protocol.Envelope{
		Path: "chat.line", Status: 200, Timestamp: 1767225600000, Reply: protocol.IntID(1), Room: "r",
		Data: json.RawMessage(`"سلام"`), Error: &protocol.Error{Code: "c", Message: "\n"},
	}
	b := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		b = protocol.Append(b[:0], &e)
		b = protocol.AppendBinary(b[:0], &e, nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
