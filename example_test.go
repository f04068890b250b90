package finch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// tb lets examples use finchtest as a test would.
var tb testing.TB = exampleTB{}

type exampleTB struct{ testing.TB }

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Errorf(format string, args ...any) { log.Printf(format, args...) }
func (exampleTB) Fatalf(format string, args ...any) { log.Panicf(format, args...) }

// A chat: what one client sends reaches all others.
func Example() {
	type Line struct{ Name, Text string }
	sockets := finch.NewSocketManager(nil) // an http.Handler: mount it anywhere
	finch.On(sockets, "chat", func(ctx context.Context, s *finch.Socket, in Line) error {
		return sockets.SendToAll("chat", in, finch.Except(s))
	})

	ann, bob := finchtest.Connect(tb, sockets, finch.Identity{}), finchtest.Connect(tb, sockets, finch.Identity{})
	ann.Send("chat", Line{"Ann", "hello"})
	var got Line
	bob.Expect("chat", &got)
	fmt.Printf("%s: %s\n", got.Name, got.Text)
	ann.Close(1000, "")
	bob.Close(1000, "")
	// Output: Ann: hello
}

// An event that is answered: the client gets the sum, or the error that was
// meant for it.
func ExampleOnRequest() {
	sockets := finch.NewSocketManager(nil)
	finch.OnRequest(sockets, "sum", func(ctx context.Context, s *finch.Socket, in []int) (int, error) {
		if len(in) == 0 {
			return 0, finch.Errorf(422, "empty", "there is nothing to add")
		}
		sum := 0
		for _, n := range in {
			sum += n
		}
		return sum, nil
	})

	c := finchtest.Connect(tb, sockets, finch.Identity{})
	fmt.Println(finchtest.Request[int](c, "sum", []int{1, 2, 3}))
	fmt.Println(finchtest.Request[int](c, "sum", []int{}))
	c.Close(1000, "")
	// Output:
	// 6 <nil>
	// 0 empty: there is nothing to add
}

// The server asks, inside a handler, and the client answers.
func ExampleAsk() {
	sockets := finch.NewSocketManager(nil)
	finch.OnRequest(sockets, "delete", func(ctx context.Context, s *finch.Socket, file string) (string, error) {
		sure, err := finch.Ask[string, bool](ctx, s, "sure?", file)
		if err != nil || !sure {
			return "kept", err
		}
		return "deleted", nil
	})

	c := finchtest.Connect(tb, sockets, finch.Identity{})
	c.Answer("sure?", func(data json.RawMessage) (any, error) { return true, nil })
	fmt.Println(finchtest.Request[string](c, "delete", "old.txt"))
	c.Close(1000, "")
	// Output: deleted <nil>
}

// A notification reaches one user on all devices.
func ExampleSocketManager_SendToUser() {
	sockets := finch.NewSocketManager(nil)
	phone, laptop := finchtest.Connect(tb, sockets, finch.Identity{User: "sara"}), finchtest.Connect(tb, sockets, finch.Identity{User: "sara"})
	sockets.SendToUser("sara", "notice", "your order has left")
	for _, device := range []*finchtest.Client{phone, laptop} {
		var text string
		device.Expect("notice", &text)
		fmt.Println(text)
		device.Close(1000, "")
	}
	// Output:
	// your order has left
	// your order has left
}

// A room is there as long as it has members.
func ExampleRoom() {
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
		OnConnect: func(ctx context.Context, s *finch.Socket) error {
			if err := s.Join(ctx, "lobby"); err != nil {
				return err
			}
			return s.Manager().Room("lobby").Send("here", s.User())
		},
	}})
	c := finchtest.Connect(tb, sockets, finch.Identity{User: "omid"})
	r := c.Expect("here", nil)
	fmt.Printf("%s in %s\n", r.Data, r.Room)
	c.Close(1000, "")
	// Output: "omid" in lobby
}

// Who a client is gets decided before the upgrade. A browser sends the token
// as a subprotocol, everything else as a header.
func ExampleSocketManagerOptions_authenticate() {
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Authenticate: func(r *http.Request) (finch.Identity, error) {
			if finch.Token(r) != "s3cret" {
				return finch.Identity{}, finch.Errorf(401, "sign_in", "sign in first")
			}
			return finch.Identity{User: "sara"}, nil
		},
	})

	r := finchtest.NewRequest("ws://app.test/ws")
	fmt.Println(sockets.Upgrade(httptest.NewRecorder(), r))
	r.Header.Set("Authorization", "Bearer s3cret")
	c := finchtest.ConnectRequest(tb, sockets, r)
	fmt.Println("users:", sockets.CountUsers())
	c.Close(1000, "")
	// Output:
	// sign_in: sign in first
	// users: 1
}

// A raw route speaks no envelopes: bytes in, bytes out.
func ExampleRawSocket() {
	app := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{{
		Path: "/ws",
		WS: func(ws *finch.RawSocket) {
			ws.OnMessage(func(text string) { ws.Send("اکو: " + text) })
		},
	}}})
	c := finchtest.Connect(tb, app, finch.Identity{})
	c.SendText("سلام سرور!")
	c.ExpectText("اکو: سلام سرور!")
	fmt.Println("it came back")
	c.Close(1000, "")
	// Output: it came back
}

// Routes have keys, and wildcards as in http.ServeMux.
func ExampleApp_URL() {
	app := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{{
		Key: "room", Path: "/rooms/{name}",
		Index: func(rq *finch.Request) error { return rq.RenderString("room " + rq.PathValue("name")) },
	}}})
	url := app.URL("room", "name", "tea house")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", url, nil))
	fmt.Println(url, "is", w.Body)
	// Output: /rooms/tea%20house is room tea house
}

// An Error is what the client sees; any other reaches it as 500 and nothing
// more.
func ExampleErrorf() {
	err := finch.Errorf(409, "room_full", "%s is full", "lobby")
	fmt.Println(finch.StatusOf(err), err)
	fmt.Println(finch.StatusOf(errors.New("the database is away")))
	// Output:
	// 409 room_full: lobby is full
	// 500
}
