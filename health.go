package finch

import (
	"io"
	"net/http"
)

// Healthz answers 200 as long as the process can: for a load balancer's
// liveness check. Mount it where you like; an [App] serves it on /healthz.
func (m *SocketManager) Healthz(w http.ResponseWriter, r *http.Request) { ready(w, true) }

// Readyz answers 200 while new sockets are welcome and 503 once Shutdown has
// begun, so that a load balancer sends nobody here any more. An [App] serves
// it on /readyz.
func (m *SocketManager) Readyz(w http.ResponseWriter, r *http.Request) {
	ready(w, !m.census.isClosing())
}

func ready(w http.ResponseWriter, yes bool) {
	status, text := http.StatusOK, "ok\n"
	if !yes {
		status, text = http.StatusServiceUnavailable, "shutting down\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text)
}
