// Package peer holds the servers that Finch is measured beside, each written as
// its own documentation would have it. All speak the same work: /echo sends
// back what it gets, /all hands it on to everyone who is connected there, and
// /settle gives memory back to the system.
package peer

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
)

// maxMessage is the largest message that the servers take.
const maxMessage = 16 << 20

// sendQueue is how many messages a hub lets one member fall behind. It is twice
// as many as any row has in flight, with room for a late reader.
const sendQueue = 256

// A peer adds its addresses to a mux.
type peer struct {
	module string // whose version is told; empty: none of a module
	mount  func(mux *http.ServeMux) error
}

var peers = map[string]peer{
	"gws":        {"github.com/lxzan/gws", mountGWS},
	"gorilla":    {"github.com/gorilla/websocket", mountGorilla},
	"melody":     {"github.com/olahol/melody", mountMelody},
	"coder":      {"github.com/coder/websocket", mountCoder},
	"centrifuge": {"github.com/centrifugal/centrifuge", mountCentrifuge},
	"raw":        {"", mountRaw},
}

// Names lists the peers.
func Names() []string { return slices.Sorted(maps.Keys(peers)) }

// Version is the version of the peer's module, or empty.
func Version(name string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == peers[name].module {
				return m.Version
			}
		}
	}
	return ""
}

// Serve serves a peer on addr, under TLS if secure with a certificate that nobody
// signed, tells on out where, and returns only an error.
func Serve(name, addr string, secure bool, out io.Writer) error {
	p, ok := peers[name]
	if !ok {
		return fmt.Errorf("there is no peer %q: they are %v", name, Names())
	}
	mux := http.NewServeMux()
	if err := p.mount(mux); err != nil {
		return err
	}
	mux.HandleFunc("/settle", func(w http.ResponseWriter, r *http.Request) {
		debug.FreeOSMemory()
		io.WriteString(w, "settled\n")
	})
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on %s pid %d\n", listener.Addr(), os.Getpid())
	if !secure {
		return http.Serve(listener, mux)
	}
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	// Without the protocols of HTTP/2, which has no upgrade.
	return http.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}}), mux)
}

// anyOrigin lets the load generator in whatever Origin it sends.
func anyOrigin(*http.Request) bool { return true }
