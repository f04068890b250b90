package finch

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/finch-go/finch/protocol"
)

// frameworkPaths are the framework's own paths that clients send, with what
// handles each.
var frameworkPaths = map[string]MessageHandler{
	protocol.PathHello:    func(ctx context.Context, s *Socket, m *Message) error { return s.hello(ctx, m) },
	protocol.PathPing:     func(ctx context.Context, s *Socket, m *Message) error { return m.Reply(nil) },
	protocol.PathAuth:     func(ctx context.Context, s *Socket, m *Message) error { return s.auth(m) },
	protocol.PathJoin:     func(ctx context.Context, s *Socket, m *Message) error { return s.joinByClient(ctx, m) },
	protocol.PathLeave:    func(ctx context.Context, s *Socket, m *Message) error { return s.leaveByClient(m) },
	protocol.PathPublish:  func(ctx context.Context, s *Socket, m *Message) error { return s.publishByClient(ctx, m) },
	protocol.PathHistory:  func(ctx context.Context, s *Socket, m *Message) error { return s.historyByClient(ctx, m) },
	protocol.PathPresence: func(ctx context.Context, s *Socket, m *Message) error { return s.presenceByClient(ctx, m) },
}

// framework handles the paths under finch.
func (s *Socket) framework(msg *Message) {
	if on := frameworkPaths[msg.Path]; on != nil {
		s.run(msg, on, s.manager.event.OnError)
		return
	}
	switch msg.Path {
	case protocol.PathError, protocol.PathJoined, protocol.PathLagged, protocol.PathReset, protocol.PathPosition, protocol.PathLeft, protocol.PathDrain:
		s.refuse(msg.Path, msg.id, &Error{protocol.StatusForbidden, protocol.RefusalReservedPath, "only the server sends this path"})
	default:
		s.refuse(msg.Path, msg.id, &Error{protocol.StatusNotFound, protocol.RefusalUnknownPath, "the server does not know this path"})
	}
}

// auth handles finch.auth.
func (s *Socket) auth(msg *Message) error {
	var in struct {
		Token string `json:"token"`
	}
	if err := msg.Decode(&in); err != nil {
		return err
	}
	return s.renew(in.Token)
}

// renew takes a new token before the old one expires: Authenticate sees the
// socket's own request again with the token as its Authorization, and must
// find the same user.
func (s *Socket) renew(token string) error {
	if s.manager.authenticate == nil {
		return Errorf(protocol.StatusUnprocessable, "no_tokens", "this server takes no tokens")
	}
	r := &http.Request{
		Method: http.MethodGet, URL: s.handshake.URL(), Header: s.handshake.Header(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RequestURI: s.handshake.uri,
		RemoteAddr: netip.AddrPortFrom(s.handshake.addr, 0).String(),
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	r.Header.Set("Authorization", "Bearer "+token)
	r = r.WithContext(s.Context())
	id, err := s.manager.identify(r, upgradeOptions{})
	switch {
	case err != nil:
		return err
	case id.User != s.User():
		return Errorf(protocol.StatusForbidden, protocol.RefusalOtherUser, "the token belongs to another user; connect anew")
	case !id.ExpiresAt.IsZero() && !id.ExpiresAt.After(time.Now()):
		return Errorf(protocol.StatusUnauthorized, "expired", "the token has expired")
	}
	s.expireAt(id.ExpiresAt)
	return nil
}
