package finch

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// SendOption is an option of one send.
type SendOption struct {
	except   *Socket
	from     *Socket
	status   int
	key      string
	replaces string
}

// Except leaves one client out, and of a published message also when it comes
// back and catches up; nil leaves out nobody.
func Except(s *Socket) SendOption { return SendOption{except: s} }

// From says on whose behalf a message is published: others see the socket's
// name ([Session.Name]) with it.
func From(s *Socket) SendOption { return SendOption{from: s} }

// WithKey names one publish, so that repeating it is harmless: within five
// minutes, a second [Room.Publish] of the server with this key and the same
// event records nothing and gets the first one's position. Take something that
// is one per message, such as "order-17-paid"; at most 128 bytes. It travels
// with the message.
func WithKey(key string) SendOption { return SendOption{key: key} }

// Replaces says that the message takes the place of earlier ones to the same
// address with the same name: a member that is behind in a room with the policy
// [Latest] gets only the newest of them.
func Replaces(name string) SendOption { return SendOption{replaces: name} }

// WithStatus sets the status of the envelope; the default is 200.
func WithStatus(code int) SendOption { return SendOption{status: code} }

// sendOptions merges options: the last of a kind wins.
func sendOptions(opts []SendOption) SendOption {
	merged := SendOption{status: protocol.StatusOK}
	for _, o := range opts {
		if o.except != nil {
			merged.except = o.except
		}
		if o.from != nil {
			merged.from = o.from
		}
		if o.status != 0 {
			merged.status = o.status
		}
		if o.key != "" {
			merged.key = o.key
		}
		if o.replaces != "" {
			merged.replaces = o.replaces
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
	return textFrame(&e), nil
}

func textFrame(e *protocol.Envelope) []byte {
	buf := scratch.Get().(*[]byte)
	*buf = protocol.Append((*buf)[:0], e)
	b := frame.AppendFrame(nil, frame.Text, *buf)
	if cap(*buf) <= 64<<10 {
		scratch.Put(buf)
	}
	return b
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
