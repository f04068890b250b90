package conn

import (
	"errors"
	"net"
)

// Engine takes over upgraded network connections and serves them. Any
// goroutine may use it. It holds nothing, neither goroutine nor descriptor,
// once the last of its connections has ended, so that it needs no Close.
type Engine interface {
	// New takes nc over. Nothing moves before [Conn.Start]; until then sends
	// are queued behind first, which is written before everything else (the
	// answer to the handshake). cfg is shared and comes from [Config.Ready].
	New(nc net.Conn, first []byte, cfg *Config, ev Events) *Conn
}

// Auto picks what costs least for each connection: on Linux the epoll engine
// for plain TCP and for TLS accepted by a [Listener], else the portable one.
var Auto = newAuto()

// ErrNoEpoll is returned by [NewEpoll] where there is no epoll.
var ErrNoEpoll = errors.New("the epoll engine needs Linux; use the portable one")

func isInline(ev Events) bool {
	i, ok := ev.(Inliner)
	return ok && i.Inline()
}
