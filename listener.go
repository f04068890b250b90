package finch

import (
	"net"

	"github.com/finch-go/finch/internal/conn"
)

// Listener lets [EngineEpoll] serve connections under TLS without a goroutine
// each: give the result to [tls.NewListener] or [http.Server.ServeTLS] in
// place of l. [App.Serve] does so by itself. Without it everything works as
// well, and each TLS connection costs a goroutine. Plain connections need no
// such thing.
func Listener(l net.Listener) net.Listener { return conn.Listener(l) }
