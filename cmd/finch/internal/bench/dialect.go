package bench

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A dialect is what a kind of server wants around payloads.
type dialect struct {
	// Before the first payload: the server says something that begins with greet
	// (if it says anything), then the client hello, then the server something
	// that begins with ready. Empty ones are left out.
	greet, hello, ready string
	// ping, if set, is a text that the server sends to see whether the client
	// lives, and pong the answer it wants.
	ping, pong string
	// echo and all are what stands before and after a payload that shall come
	// back to its sender, or to everyone.
	echo, all wrap
	// binary wraps payloads in binary frames; nil if there is no way to.
	binary func(path string) wrap
}

type wrap struct{ before, after string }

var dialects = map[string]dialect{
	// Any server: the URL alone decides what it does with a message.
	"raw": {
		binary: func(string) wrap { return wrap{} },
	},
	"finch": {
		echo: wrap{`{"path":"echo","data":"`, `"}`},
		all:  wrap{`{"path":"all","data":"`, `"}`},
		binary: func(path string) wrap {
			envelope := fmt.Sprintf(`{"path":%q}`, path)
			return wrap{before: string(binary.BigEndian.AppendUint32(nil, uint32(len(envelope)))) + envelope}
		},
	},
	// The same, at /room: sent to the room, or recorded in it.
	"finch-room":    {all: wrap{`{"path":"room","data":"`, `"}`}},
	"finch-publish": {all: wrap{`{"path":"publish","data":"`, `"}`}},
	// Engine.IO 4 over a WebSocket: the first digit is its packet type, the
	// second that of Socket.IO 5.
	"socket.io": {
		greet: "0{", hello: "40", ready: "40{",
		ping: "2", pong: "3",
		echo: wrap{`42["echo","`, `"]`},
		all:  wrap{`42["all","`, `"]`},
	},
	// Centrifuge's JSON protocol: an echo is a remote call, and what everyone
	// shall have is sent without waiting for an answer.
	"centrifuge": {
		hello: `{"id":1,"connect":{}}`, ready: `{"id":1,"connect":`,
		ping: "{}", pong: "{}",
		echo: wrap{`{"id":2,"rpc":{"method":"echo","data":"`, `"}}`},
		all:  wrap{`{"send":{"data":"`, `"}}`},
	},
}

// Protocols names the kinds of server that a plan can speak to.
func Protocols() []string { return slices.Sorted(maps.Keys(dialects)) }

func protocolList() string { return strings.Join(Protocols(), ", ") }
