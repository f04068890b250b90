package demo

import (
	"context"

	"github.com/finch-go/finch"
)

// echo answers a text that is no envelope. On /ws both live on one address:
// envelopes go to their handlers, and whatever else is sent comes here.
func echo(ctx context.Context, s *finch.Socket, text string) error {
	return s.SendText("اکو: " + text)
}

// echoRoute is the same without envelopes: bytes in, bytes out. A raw socket
// is not counted as a client and gets nothing that is sent to everyone.
var echoRoute = finch.Route{
	Key:  "root.echo",
	Path: "/echo",
	WS: func(ws *finch.RawSocket) {
		ws.OnMessage(func(text string) {
			ws.Send("اکو: " + text)
		})
	},
}
