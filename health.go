package finch

import (
	"io"
	"net/http"
)

// Healthz answers 200 as long as the process can: for a load balancer's
// liveness check. Mount it where you like; an [App] serves it on /healthz.
func (m *SocketManager) Healthz(w http.ResponseWriter, r *http.Request) { healthy(w) }

// Readyz answers 200 while new sockets are welcome and 503 once Shutdown has
// begun, so that a load balancer sends nobody here any more. An [App] serves
// it on /readyz.
func (m *SocketManager) Readyz(w http.ResponseWriter, r *http.Request) {
	ready(w, !m.census.isClosing())
}

func healthy(w http.ResponseWriter) {
	plain(w, http.StatusOK, "ok\n")
}

func ready(w http.ResponseWriter, yes bool) {
	if yes {
		plain(w, http.StatusOK, "ready\n")
		return
	}
	plain(w, http.StatusServiceUnavailable, "shutting down\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text)
}
