package client_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/client"
)

// exampleServer serves a chat and a few handlers.
func exampleServer() (address string, end func()) {
	m := finch.NewSocketManager(nil)
	m.DeclareRooms("chat:{id}", finch.RoomOptions{HistorySize: 100, Presence: true, CanJoin: finch.Anybody, CanPublish: finch.AnyMember})
	finch.OnRequest(m, "double", func(ctx context.Context, s *finch.Socket, n int) (int, error) {
		if n > 1000 {
			return 0, finch.Errorf(422, "too_much", "%d is too much", n)
		}
		return 2 * n, nil
	})
	finch.On(m, "weather", func(ctx context.Context, s *finch.Socket, _ any) error {
		where, err := finch.Ask[any, string](ctx, s, "where", nil)
		if err != nil {
			return err
		}
		return s.Send("weather", "sunny in "+where)
	})
	server := httptest.NewServer(m)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/ws", server.Close
}

func ExampleRequest() {
	address, end := exampleServer()
	defer end()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(client.Request[int, int](ctx, c, "double", 21))
	fmt.Println(client.Request[int, int](ctx, c, "double", 2100))
	// Output:
	// 42 <nil>
	// 0 too_much: 2100 is too much
}

// Handlers are registered before the client connects, so that they miss nothing.
func ExampleOn() {
	address, end := exampleServer()
	defer end()
	c, err := client.New(address, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	client.OnRequest(c, "where", func(ctx context.Context, _ any) (string, error) {
		return "Tehran", nil // the server asks
	})
	weather := make(chan string)
	client.On(c, "weather", func(ctx context.Context, text string) error {
		weather <- text
		return nil
	})
	if err := c.Connect(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Send("weather", nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-weather)
	// Output: sunny in Tehran
}

func ExampleRoom_Events() {
	address, end := exampleServer()
	defer end()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	room := c.Room("chat:7")
	if _, err := room.Join(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{"salaam", "khubi?"} {
		if _, err := room.Publish(ctx, "line", text, nil); err != nil {
			fmt.Println(err)
		}
	}
	for event, err := range room.Events(ctx) {
		if err != nil {
			fmt.Println(err)
			break
		}
		switch e := event.(type) {
		case *client.Message:
			fmt.Println(e.Path, string(e.Data))
		case *client.Reset:
			fmt.Println("fetch everything again")
		}
		if m, ok := event.(*client.Message); ok && string(m.Data) == `"khubi?"` {
			break
		}
	}
	// Output:
	// line "salaam"
	// line "khubi?"
}

func ExampleRoom_History() {
	address, end := exampleServer()
	defer end()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	room := c.Room("chat:7")
	if _, err := room.Join(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for n := range 5 {
		if _, err := room.Publish(ctx, "line", n, nil); err != nil {
			fmt.Println(err)
		}
	}
	o := &client.HistoryOptions{Limit: 2} // the newest
	for {
		page, err := room.History(ctx, o)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, m := range page.Messages {
			fmt.Printf("%s;", m.Data)
		}
		if !page.More {
			return
		}
		o.Before = page.Messages[0].Position // those before
	}
	// Output: 3;4;1;2;0;
}

func ExampleRoom_WatchPresence() {
	address, end := exampleServer()
	defer end()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	room := c.Room("chat:7")
	if _, err := room.Join(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for present, err := range room.WatchPresence(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if len(present.Members) == 1 {
			fmt.Println(present.Count, "is here, and it is me:", present.Members[0].ID == c.Name())
			return
		}
	}
	// Output: 1 is here, and it is me: true
}
