package finch

import (
	"context"
	"reflect"

	"github.com/finch-go/finch/protocol"
)

// On registers a typed handler of an event: data is decoded into In, and data
// that does not fit is answered 400 bad_data before the handler is called. An
// In of []byte takes binary frames, one of json.RawMessage any JSON. It
// panics when the path is taken, as [SocketManager.AddRoutes] does.
//
// A client that asked for an answer gets 200 when the handler returns nil,
// and the error otherwise.
func On[In any](m *SocketManager, path string, handle func(ctx context.Context, s *Socket, in In) error) {
	m.registry.add(&entry{
		path: path, in: reflect.TypeFor[In](), place: place(),
		event: SocketEvent{OnMessage: func(ctx context.Context, s *Socket, msg *Message) error {
			in, err := decode[In](msg)
			if err != nil {
				return err
			}
			return handle(ctx, s, in)
		}},
	})
}

// OnRequest registers a typed handler that answers: what it returns is the
// data of the answer. A message that did not ask for one is handled all the
// same. See [On].
func OnRequest[In, Out any](m *SocketManager, path string, handle func(ctx context.Context, s *Socket, in In) (Out, error)) {
	m.registry.add(&entry{
		path: path, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](), place: place(),
		event: SocketEvent{OnMessage: func(ctx context.Context, s *Socket, msg *Message) error {
			in, err := decode[In](msg)
			if err != nil {
				return err
			}
			out, err := handle(ctx, s, in)
			if err != nil {
				return err
			}
			return msg.Reply(out)
		}},
	})
}

// decode makes an In of a message's data.
func decode[In any](m *Message) (in In, err error) {
	if b, ok := any(&in).(*[]byte); ok {
		if m.Binary == nil {
			return in, Errorf(protocol.StatusBadRequest, protocol.RefusalBadData, "%s takes a binary frame", m.Path)
		}
		*b = m.Binary
		return in, nil
	}
	err = m.Decode(&in)
	return in, err
}
