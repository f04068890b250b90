package finch

import (
	"encoding/json"
	"errors"
	"sync/atomic"

	"github.com/finch-go/finch/protocol"
)

// Message is one event that arrived. It and its bytes belong to the handler
// and may be kept.
type Message struct {
	// Path is the event path.
	Path string
	// ID is the client's name for this message, if it wants an answer; empty
	// if not.
	ID string
	// Data is the data as it came; nil if there was none or it is binary.
	Data json.RawMessage
	// Binary is the data of a binary frame, else nil.
	Binary []byte
	// Raw is the whole envelope, for fields that Finch does not know.
	Raw json.RawMessage

	socket  *Socket
	id      protocol.ID
	replied atomic.Bool
}

// Decode decodes the data into v, as [json.Unmarshal] does; data that is
// missing is null. The error is an [Error] 400 bad_data that tells the client
// what is wrong, so that a handler can return it.
func (m *Message) Decode(v any) error {
	if m.Binary != nil {
		return Errorf(protocol.StatusBadRequest, protocol.RefusalBadData, "%s takes JSON, not a binary frame", m.Path)
	}
	data := m.Data
	if data == nil {
		data = json.RawMessage("null")
	}
	err := json.Unmarshal(data, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return Errorf(protocol.StatusBadRequest, protocol.RefusalBadData, "data.%s cannot be a JSON %s", wrong.Field, wrong.Value)
	case errors.As(err, &wrong):
		return Errorf(protocol.StatusBadRequest, protocol.RefusalBadData, "data cannot be a JSON %s", wrong.Value)
	}
	return Errorf(protocol.StatusBadRequest, protocol.RefusalBadData, "data is not what %s takes", m.Path)
}

// Reply answers the message: once, and only if it asked for an answer. A
// second answer, and one that nobody asked for, does nothing. It may be
// called from any goroutine, but not after the handler has returned: then the
// message has been answered for it. Errors are those of [Socket.Send].
func (m *Message) Reply(v any, opts ...SendOption) error {
	return m.answer(protocol.Envelope{Status: sendOptions(opts).status}, v)
}

// fail answers with an error; false if no answer can carry it.
func (m *Message) fail(e *Error) bool {
	if m.id.IsZero() || m.replied.Load() {
		return false
	}
	return m.answer(protocol.Envelope{Status: e.Status, Error: &protocol.Error{Code: e.Code, Message: e.Message}}, nil) == nil
}

// answerFrame makes the answer without sending it, for whoever has to place it
// among other frames; nil if no answer is owed.
func (m *Message) answerFrame(data any) []byte {
	if m.id.IsZero() || !m.replied.CompareAndSwap(false, true) {
		return nil
	}
	b, err := m.socket.frame(protocol.Envelope{Path: m.Path, Reply: m.id, Status: protocol.StatusOK}, data)
	if err != nil {
		panic("finch: " + err.Error()) // what the framework answers is JSON
	}
	return b
}

func (m *Message) answer(e protocol.Envelope, data any) error {
	if m.id.IsZero() || !m.replied.CompareAndSwap(false, true) {
		return nil
	}
	e.Path, e.Reply = m.Path, m.id
	err := m.socket.send(e, data)
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrSlow) {
		m.replied.Store(false) // nothing left: an error can still be answered
	}
	return err
}
