// Package demo is the program behind `finch demo`: the guide's sockets, a
// chat, live notifications and live counts, and the page that shows them.
//
// It is written to be read. The page shows these very files, each beside the
// panel that it runs.
package demo

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"

	"github.com/finch-go/finch"
)

// Options configure the demo; nil is fine.
type Options struct {
	// Logger gets what goes wrong. Nil: slog.Default().
	Logger *slog.Logger
	// Holder holds idle sockets when the page asks for it. Nil: nobody does.
	Holder *Holder
}

// New returns the whole demo as an App, ready to be started or mounted:
//
//	/              the page
//	/ws            the sockets, with envelopes; bare text comes back
//	/echo          a raw route: bytes in, bytes out
//	/idle          sockets that say nothing, to be weighed
//	/source/{name} this package's own files
//	/healthz, /readyz
func New(o *Options) *finch.App {
	if o == nil {
		o = new(Options)
	}
	app := finch.NewApp(&finch.AppOptions{Logger: o.Logger})
	people := &chat{}
	numbers := &counts{}

	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		App:          app,
		Authenticate: whoTheySay,
		Event: finch.SocketEvent{
			OnConnect: func(ctx context.Context, s *finch.Socket) error {
				if err := welcome(ctx, s); err != nil {
					return err
				}
				return numbers.arrived(s)
			},
			OnText: echo,
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				people.left(s)
				numbers.changed(s)
			},
		},
	})
	app.AddSocketRoute(getSocketRoute())
	people.register(sockets)
	registerNotify(sockets)
	silent := newIdle(o.Holder, sockets, cmp.Or(o.Logger, slog.Default()))

	controller := &SocketController{finch.Controller{App: app}}
	app.AddRoute(finch.Route{Key: "root.ws", Path: "/ws", Methods: finch.MethodsAll, Index: controller.Socket})
	app.AddRoute(echoRoute)
	app.AddRoute(finch.Route{Key: "idle", Path: "/idle", Handler: silent.crowd})
	app.AddRoute(sourceRoutes()...)
	app.AddRoute(pageRoutes()...)
	return app
}

// whoTheySay believes /ws?user=sara. This is for the demo only: a real app
// proves who somebody is, with a session cookie or a signed token.
func whoTheySay(r *http.Request) (finch.Identity, error) {
	user := r.URL.Query().Get("user")
	if user == "" {
		return finch.Identity{}, nil
	}
	user, err := line(user, 64, "bad_user", "a user")
	return finch.Identity{User: user}, err
}
