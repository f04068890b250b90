package finch

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/finch-go/finch/protocol"
)

// Identity is what authentication found out about a client. The zero Identity
// is anonymous.
type Identity struct {
	// User is who is behind the socket; all sockets of one user are reached
	// with [SocketManager.SendToUser]. Empty: nobody in particular.
	User string
	// ExpiresAt is when the proof of it ends: the socket is closed with 4401
	// then, unless the client has sent a new token on finch.auth. Zero: never.
	ExpiresAt time.Time
	// Values are what [Socket.Get] answers.
	Values map[string]any
}

type identityKey struct{}

// IdentityContext returns a context that tells [SocketManager] who its client
// is: for middleware that has already authenticated the request. The manager
// then does not call Authenticate.
func IdentityContext(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// Token returns the token that a client sent: from "Authorization: Bearer",
// else from a subprotocol "finch.token.<base64url>", which is how a browser,
// that cannot set headers, sends one. Empty if there is none, or if it is not
// base64url. It never looks into the URL, where logs would keep it.
func Token(r *http.Request) string {
	if token := bearer(r); token != "" {
		return token
	}
	for _, p := range headerList(r.Header, "Sec-Websocket-Protocol") {
		if token, ok := protocol.DecodeToken(p); ok {
			return token
		}
	}
	return ""
}

// bearer returns the token of an Authorization header (RFC 6750 section 2.1).
func bearer(r *http.Request) string {
	const scheme = "bearer "
	if h := r.Header.Get("Authorization"); len(h) > len(scheme) && strings.EqualFold(h[:len(scheme)], scheme) {
		return strings.TrimSpace(h[len(scheme):])
	}
	return ""
}

// headerList splits the comma-separated values of a header.
func headerList(h http.Header, name string) []string {
	var list []string
	for _, line := range h[name] {
		for v := range strings.SplitSeq(line, ",") {
			if v = strings.Trim(v, " \t"); v != "" {
				list = append(list, v)
			}
		}
	}
	return list
}

// identify finds out who sent r: from the option, the context, or by asking
// Authenticate. A panic of Authenticate is an error.
func (m *SocketManager) identify(r *http.Request, o upgradeOptions) (id Identity, err error) {
	if o.identity != nil {
		return *o.identity, nil
	}
	if id, ok := r.Context().Value(identityKey{}).(Identity); ok {
		return id, nil
	}
	if m.authenticate == nil {
		return Identity{}, nil
	}
	err = m.guard("Authenticate", func() error {
		id, err = m.authenticate(r)
		return err
	})
	return id, err
}
