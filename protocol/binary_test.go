package protocol_test

import (
	"bytes"
	"testing"

	"github.com/finch-go/finch/protocol"
)

func TestBinaryMessageIsWrittenAfterTheBuffer(t *testing.T) {
	got := protocol.AppendBinary([]byte("ab"), &protocol.Envelope{Path: "p", Data: []byte("ignored")}, []byte{1, 2})
	if want := "ab\x00\x00\x00\x0c{\"path\":\"p\"}\x01\x02"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPayloadAliasesOnlyItsOwnBytes(t *testing.T) {
	frame := protocol.AppendBinary(nil, &protocol.Envelope{Path: "p"}, []byte("bytes"))
	frame = append(frame, "next"...)[:len(frame)]
	_, payload, err := protocol.ParseBinary(frame, protocol.ParseOptions{})
	if err != nil || string(payload) != "bytes" {
		t.Fatalf("got %q, %v", payload, err)
	}
	if &payload[0] != &frame[len(frame)-5] {
		t.Error("the payload was copied")
	}
	_ = append(payload, "????"...)
	if end := frame[len(frame) : len(frame)+4]; string(end) != "next" {
		t.Errorf("appending to the payload wrote %q behind the frame", end)
	}
}

func TestEmptyPayloadIsNotNil(t *testing.T) {
	frame := protocol.AppendBinary(nil, &protocol.Envelope{Path: "p"}, nil)
	if _, payload, err := protocol.ParseBinary(frame, protocol.ParseOptions{}); payload == nil || len(payload) != 0 || err != nil {
		t.Errorf("got %v, %v", payload, err)
	}
}

func TestBinaryMessageCutAnywhereIsRefused(t *testing.T) {
	frame := protocol.AppendBinary(nil, &protocol.Envelope{Path: "path", ID: protocol.IntID(1)}, nil)
	for n := range frame {
		if _, _, err := protocol.ParseBinary(bytes.Clone(frame[:n]), protocol.ParseOptions{}); codeOf(t, err) != "bad_binary" {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestDepthIsLimitedInBinaryMessages(t *testing.T) {
	text := `{"path":"p","other":` + deep(3) + `}`
	frame := append([]byte{0, 0, 0, byte(len(text))}, text...)
	if _, _, err := protocol.ParseBinary(frame, protocol.ParseOptions{MaxDepth: 3}); codeOf(t, err) != "too_deep" {
		t.Errorf("got %v", err)
	}
}
