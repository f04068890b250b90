package finch

import (
	"net/http"
	"net/netip"
	"sync"
)

// addresses counts the sockets of each client address while a limit asks for
// it.
type addresses struct {
	mu      sync.Mutex
	sockets map[netip.Addr]int
}

// enter counts one more socket of h's client; false if that is beyond limit.
// A request that a proxy has passed on without being trusted does not tell
// who its client is: it is not counted.
func (a *addresses) enter(h *Handshake, r *http.Request, trusted []netip.Prefix, limit int) bool {
	if limit <= 0 || !h.addr.IsValid() || throughStranger(r, trusted) {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sockets[h.addr] >= limit {
		return false
	}
	if a.sockets == nil {
		a.sockets = make(map[netip.Addr]int)
	}
	a.sockets[h.addr]++
	h.counted = true
	return true
}

// exit forgets a socket that enter has counted.
func (a *addresses) exit(h *Handshake) {
	if !h.counted {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sockets[h.addr]--; a.sockets[h.addr] <= 0 {
		delete(a.sockets, h.addr)
	}
}

// throughStranger tells whether a proxy that is not trusted stands between.
func throughStranger(r *http.Request, trusted []netip.Prefix) bool {
	if r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" && r.Header.Get("Via") == "" {
		return false
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err != nil || !isTrusted(ap.Addr().Unmap(), trusted)
}
