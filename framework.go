package finch

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/finch-go/finch/protocol"
)

// framework handles the paths under finch.; false for all others.
func (s *Socket) framework(msg *Message) bool {
	if !strings.HasPrefix(msg.Path, protocol.FrameworkPrefix) {
		return false
	}
	switch msg.Path {
	case protocol.PathHello:
		msg.Reply(s.hello())
	case protocol.PathPing:
		msg.Reply(nil)
	case protocol.PathAuth:
		s.handled(msg.Path, msg, s.manager.event.OnError, s.renew(msg))
	case protocol.PathError, protocol.PathLagged, protocol.PathReset, protocol.PathPosition, protocol.PathLeft, protocol.PathDrain:
		s.refuse(msg.Path, msg.id, &Error{protocol.StatusForbidden, protocol.RefusalReservedPath, "only the server sends this path"})
	default:
		s.refuse(msg.Path, msg.id, &Error{protocol.StatusNotFound, protocol.RefusalUnknownPath, "the server does not know this path"})
	}
	return true
}

// greeting answers a client's hello.
type greeting struct {
	Version   int            `json:"version"`
	Client    string         `json:"client"`
	Heartbeat int64          `json:"heartbeat"` // milliseconds; 0 = none
	Limits    greetingLimits `json:"limits"`
}

type greetingLimits struct {
	MessageBytes int `json:"message_bytes"`
	JSONDepth    int `json:"json_depth"`
}

func (s *Socket) hello() greeting {
	m := s.manager
	depth := m.limits.JSONDepth
	if depth <= 0 {
		depth = protocol.DefaultMaxDepth
	}
	return greeting{
		Version:   protocol.Version,
		Client:    s.ID(),
		Heartbeat: max(0, m.gate.config.Heartbeat.Milliseconds()),
		Limits:    greetingLimits{m.limits.messageBytes(), depth},
	}
}

// renew takes a new token before the old one expires: Authenticate sees the
// socket's own request again with the token as its Authorization, and must
// find the same user.
func (s *Socket) renew(msg *Message) error {
	var in struct {
		Token string `json:"token"`
	}
	if err := msg.Decode(&in); err != nil {
		return err
	}
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
	r.Header.Set("Authorization", "Bearer "+in.Token)
	r = r.WithContext(s.Context())
	id, err := s.manager.identify(r, upgradeOptions{})
	switch {
	case err != nil:
		return err
	case id.User != s.User():
		return Errorf(protocol.StatusForbidden, "other_user", "the token belongs to another user; connect anew")
	case !id.ExpiresAt.IsZero() && !id.ExpiresAt.After(time.Now()):
		return Errorf(protocol.StatusUnauthorized, "expired", "the token has expired")
	}
	s.expireAt(id.ExpiresAt)
	return nil
}
