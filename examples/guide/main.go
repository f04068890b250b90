// Command guide is the whole of Finch's guide as one program: a manager that
// greets everyone, a socket route, a controller at /ws and a page that talks
// to it. Run it and open http://localhost:3000.
//
// The guide gives the address /ws twice, as alternatives: -raw serves the
// other one, a raw echo without envelopes.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"log"
	"net/http"

	"github.com/finch-go/finch"
)

// region app

var app = finch.NewApp(nil)

// endregion

// region manager

var socketManager = finch.NewSocketManager(&finch.SocketManagerOptions{
	App: app,
	Event: finch.SocketEvent{
		OnConnect: func(ctx context.Context, s *finch.Socket) error {
			m := s.Manager()
			return m.SendToAll("output", fmt.Sprintf("کاربر جدید متصل شد! تعداد: %d", m.CountClients()))
		},
		// The page sends bare text to /ws and other clients send envelopes:
		// both work at one address.
		OnText: func(ctx context.Context, s *finch.Socket, text string) error {
			return s.SendText("اکو: " + text)
		},
	},
})

// endregion

// region routes

func getSocketRoute() map[string]finch.SocketEvent {
	return map[string]finch.SocketEvent{
		"test": {
			OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
				return s.Send("test", []any{s.Request().Header()})
			},
		},
	}
}

// endregion

// region controller

// SocketController leads HTTP requests to the manager.
type SocketController struct{ finch.Controller }

// Socket makes a socket of the request.
func (c *SocketController) Socket(rq *finch.Request) error {
	if err := socketManager.RequestHandle(rq); err != nil {
		return err
	}
	return rq.RenderSocket()
}

// endregion

//go:embed index.html
var page embed.FS

// controllerRoute is the address of the manager.
func controllerRoute() finch.Route {
	sockets := &SocketController{finch.Controller{App: app}}
	// region route
	route := finch.Route{Key: "root.ws", Path: "/ws", Methods: finch.MethodsAll, Index: sockets.Socket}
	// endregion
	return route
}

// pageRoute is the page at / that the browser opens.
func pageRoute() finch.Route {
	return finch.Route{Key: "root", Path: "/", Handler: http.FileServerFS(page)}
}

func main() {
	raw := flag.Bool("raw", false, "serve the guide's raw route at /ws")
	flag.Parse()

	// region start
	app.AddSocketRoute(getSocketRoute())
	ws := controllerRoute()
	if *raw {
		ws = rawRoute
	}
	app.AddRoute(pageRoute(), ws)
	if err := app.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	// endregion
}
