package finch

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// SendOption is an option of one send.
type SendOption struct {
	except *Socket
	status int
}

// Except leaves one socket out; nil leaves out nobody.
func Except(s *Socket) SendOption { return SendOption{except: s} }

// WithStatus sets the status of the envelope; the default is 200.
func WithStatus(code int) SendOption { return SendOption{status: code} }

// sendOptions merges options: the last of a kind wins.
func sendOptions(opts []SendOption) SendOption {
	merged := SendOption{status: protocol.StatusOK}
	for _, o := range opts {
		if o.except != nil {
			merged.except = o.except
		}
		if o.status != 0 {
			merged.status = o.status
		}
	}
	return merged
}

// scratch lends buffers for encoding.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// encode makes one frame of an envelope and its data: a text frame, or a
// binary one if data is bytes. The frame is new and belongs to the caller.
func encode(e protocol.Envelope, data any) ([]byte, error) {
	e.Timestamp = time.Now().UnixMilli()
	if payload, ok := data.([]byte); ok {
		return binaryFrame(&e, payload), nil
	}
	if e.Error == nil || data != nil {
		raw, err := marshal(data)
		if err != nil {
			return nil, err
		}
		e.Data = raw
	}
	buf := scratch.Get().(*[]byte)
	*buf = protocol.Append((*buf)[:0], &e)
	b := frame.AppendFrame(nil, frame.Text, *buf)
	if cap(*buf) <= 64<<10 {
		scratch.Put(buf)
	}
	return b, nil
}

func binaryFrame(e *protocol.Envelope, payload []byte) []byte {
	return frame.AppendFrame(nil, frame.Binary, protocol.AppendBinary(nil, e, payload))
}

func marshal(data any) (json.RawMessage, error) {
	raw, err := protocol.Marshal(data)
	if err != nil {
		return nil, Errorf(protocol.StatusInternalServerError, "bad_data", "this data cannot be sent as JSON: %v", err)
	}
	return raw, nil
}

// validUTF8 makes sure that a text frame holds text (RFC 6455 section 5.6).
func validUTF8(text string) []byte { return []byte(strings.ToValidUTF8(text, "\uFFFD")) }
