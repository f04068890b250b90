package finch

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Healthz answers 200 as long as the process can: for a load balancer's
// liveness check. Mount it where you like; an [App] serves it on /healthz.
func (m *SocketManager) Healthz(w http.ResponseWriter, r *http.Request) { answerHealth(w, "") }

// Readyz answers 200 while new sockets are welcome, and 503 before the broker
// has been started ([SocketManager.Start]) and once Shutdown has begun, so that a
// load balancer sends nobody here. A broker that is lost later changes nothing: it
// is lost to all nodes, or to a node whose sockets wait for it to come back. An
// [App] serves it on /readyz.
func (m *SocketManager) Readyz(w http.ResponseWriter, r *http.Request) {
	answerHealth(w, m.unready())
}

// readyPatience is how long a check waits for a broker that is being started.
const readyPatience = 500 * time.Millisecond

// unready says why no new socket is welcome; empty if it is.
func (m *SocketManager) unready() string {
	if m.census.isClosing() {
		return leaving
	}
	if !m.node.given {
		return ""
	}
	ctx, cancel := context.WithTimeout(m.node.life, readyPatience)
	defer cancel()
	if m.node.ready(ctx) != nil {
		return "the broker has not been started yet; the log says why"
	}
	return ""
}

// leaving is what is wrong once Shutdown has begun.
const leaving = "shutting down"

// unhealthy says what is wrong for a check of the App; empty if nothing is.
func (a *App) unhealthy(r *http.Request) string {
	manager := a.SocketManager()
	switch {
	case r.URL.Path == "/healthz":
		return ""
	case a.isClosing():
		return leaving
	case manager != nil:
		return manager.unready()
	}
	return ""
}

// answerHealth answers a check: 200, or 503 and what is wrong.
func answerHealth(w http.ResponseWriter, wrong string) {
	status, text := http.StatusOK, "ok"
	if wrong != "" {
		status, text = http.StatusServiceUnavailable, wrong
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}
