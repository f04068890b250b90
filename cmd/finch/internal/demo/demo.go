// Package demo is the program behind `finch demo`: the guide's sockets, a
// chat, live notifications and live counts, and the page that shows them.
//
// It is written to be read. The page shows these very files, each beside the
// panel that it runs.
package demo

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/finch-go/finch"
)

// Options configure the demo; nil is fine.
type Options struct {
	// Logger gets what goes wrong. Nil: slog.Default().
	Logger *slog.Logger
	// Holder holds idle sockets when the page asks for it. Nil: nobody does.
	Holder *Holder
	// Nodes makes this demo one of several, or one whose rooms outlive it. Nil: it
	// is alone, and keeps what it has in memory.
	Nodes *Nodes
}

// Demo is the whole demo, ready to be started or mounted.
type Demo struct {
	*finch.App
	house  *house
	panels []func(context.Context) error // end what has a manager of its own
}

// Begin starts what joins the nodes, if anything does: it answers why that cannot
// be. Without it they are joined when the first page comes.
func (d *Demo) Begin(ctx context.Context) error { return d.house.begin(ctx) }

// Shutdown ends the demo as [finch.App.Shutdown] does.
func (d *Demo) Shutdown(ctx context.Context) error {
	var errs []error
	for _, end := range d.panels {
		errs = append(errs, end(ctx))
	}
	return errors.Join(append(errs, d.App.Shutdown(ctx))...)
}

// New returns the demo:
//
//	/              the page
//	/ws            the sockets, with envelopes; bare text comes back
//	/echo          a raw route: bytes in, bytes out
//	/idle          sockets that say nothing, to be weighed
//	/pulse         a room with a beat, to be missed and recovered
//	/slow          rooms in which somebody reads too slowly
//	/tabs          the one connection of all tabs of a browser
//	/source/{name} this package's own files
//	/healthz, /readyz
func New(o *Options) *Demo {
	if o == nil {
		o = new(Options)
	}
	app := finch.NewApp(&finch.AppOptions{Logger: o.Logger})
	logger := cmp.Or(o.Logger, slog.Default())
	house := &house{nodes: o.Nodes}
	here := newRoll(house)

	sockets := house.manager("chat", finch.SocketManagerOptions{
		App:          app,
		Logger:       logger,
		Authenticate: whoTheySay,
		Grace:        goneAfter,
		Limits:       finch.Limits{RoomsPerSocket: maxRooms},
		Event: finch.SocketEvent{
			OnConnect: func(ctx context.Context, s *finch.Socket) error {
				now := here.now(ctx)
				if err := welcome(s, now.Clients); err != nil && !errors.Is(err, finch.ErrUnavailable) {
					return err // who is here hears it without the broker, too
				}
				return here.arrived(ctx, s, now)
			},
			OnText: echo,
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				here.changed()
			},
		},
	})
	here.call(sockets)
	app.AddSocketRoute(getSocketRoute())
	registerChat(sockets)
	registerNotify(sockets)
	silent := newIdle(o.Holder, sockets, logger)
	pulse := newHeart(house, logger)
	late := newSlow(house, sockets, logger)
	tabs := newTabs(house, logger)

	controller := &SocketController{finch.Controller{App: app}}
	app.AddRoute(finch.Route{Key: "root.ws", Path: "/ws", Methods: finch.MethodsAll, Index: controller.Socket})
	app.AddRoute(echoRoute)
	app.AddRoute(finch.Route{Key: "idle", Path: "/idle", Handler: silent.crowd})
	app.AddRoute(finch.Route{Key: "pulse", Path: "/pulse", Handler: pulse.sockets})
	app.AddRoute(finch.Route{Key: "slow", Path: "/slow", Handler: late.rooms})
	app.AddRoute(finch.Route{Key: "tabs", Path: "/tabs", Handler: tabs})
	app.AddRoute(sourceRoutes()...)
	app.AddRoute(pageRoutes()...)
	return &Demo{App: app, house: house, panels: []func(context.Context) error{here.shutdown, pulse.shutdown, late.shutdown, silent.crowd.Shutdown, tabs.Shutdown}}
}

// goneAfter is how long somebody who vanished still sits in the chat: shorter
// than a real app would have it, so that the list of a demo moves.
const goneAfter = 5 * time.Second

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
