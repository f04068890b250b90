package demo

import (
	"cmp"
	"context"

	"github.com/finch-go/finch"
)

// NotifyAll asks for a notification to everyone.
type NotifyAll struct{ Text string }

// NotifyUser asks for a notification to one user, on all their devices.
type NotifyUser struct{ User, Text string }

// Notified says how many devices a notification was sent to.
type Notified struct {
	Devices int `json:"devices"`
}

// Notice is the notification as it arrives.
type Notice struct {
	Text string `json:"text"`
	From string `json:"from"`           // the sender's user, or the socket's id
	To   string `json:"to"`             // "everyone" or "user"
	User string `json:"user,omitempty"` // the user, if it is for one
}

const maxNotice = 500 // characters

// registerNotify adds the notifications' handlers. Here it is a client who asks;
// an HTTP handler or a worker would call the same SendToAll and SendToUser.
func registerNotify(m *finch.SocketManager) {
	finch.On(m, "notify.all", func(ctx context.Context, s *finch.Socket, in NotifyAll) error {
		words, err := text(in.Text, maxNotice, "bad_text", "a notification")
		if err != nil {
			return err
		}
		return m.SendToAll("notice", Notice{Text: words, From: sender(s), To: "everyone"})
	})
	finch.OnRequest(m, "notify.user", func(ctx context.Context, s *finch.Socket, in NotifyUser) (Notified, error) {
		user, err := line(in.User, 64, "bad_user", "a user")
		if err != nil {
			return Notified{}, err
		}
		words, err := text(in.Text, maxNotice, "bad_text", "a notification")
		if err != nil {
			return Notified{}, err
		}
		devices, err := m.User(user).Count(ctx)
		if err != nil {
			return Notified{}, err
		}
		if devices == 0 {
			return Notified{}, finch.Errorf(404, "no_such_user", "no user %q is connected", user)
		}
		return Notified{devices}, m.SendToUser(user, "notice", Notice{Text: words, From: sender(s), To: "user", User: user})
	})
}

func sender(s *finch.Socket) string { return cmp.Or(s.User(), s.ID()) }
