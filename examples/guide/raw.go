package main

import "github.com/finch-go/finch"

// region raw

// rawRoute is the guide's other way to serve /ws: bytes in, bytes out, no
// envelope, no manager.
var rawRoute = finch.Route{
	Key:  "root.ws",
	Path: "ws",
	WS: func(ws *finch.RawSocket) {
		ws.OnMessage(func(text string) {
			ws.Send("اکو: " + text)
		})
	},
}

// endregion
