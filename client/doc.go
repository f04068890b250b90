// Package client is a client of a Finch server: it keeps a connection, sends and
// handles events, asks and answers, and is in rooms whose recorded messages it
// gets without loss and without repetition, over lost connections, other nodes
// and deploys; or is told that it cannot.
//
//	c, err := client.Dial(ctx, "wss://example.com/ws", &client.Options{Token: token})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	zoom, err := client.Request[string, int](ctx, c, "map.zoom", "tehran")
//
//	room := c.Room("chat:7")
//	if _, err := room.Join(ctx); err != nil {
//		return err
//	}
//	_, err = room.Publish(ctx, "post", Post{Text: "salaam"}, nil)
//	for event, err := range room.Events(ctx) {
//		switch e := event.(type) {
//		case *client.Message:
//			show(e)
//		case *client.Reset:
//			fetchEverythingAgain()
//		}
//	}
//
// # Connections
//
// When a connection is lost the client opens another, after a random delay, as
// the close code says; or it stops, where it would end the same way again. The
// server knows a client that returns by its ticket, and where it stands in each
// room by its position.
//
// What is sent or asked while there is no connection waits for the next one.
// What was asked and not answered when the connection broke fails. What was
// published is published again, under the same key, and recorded once.
//
// # What runs where
//
// Handlers of [On] run one after another on one goroutine of the client's. A
// handler may call any method; what it waits for is not held up by what waits for
// handlers, but for what [ErrInboxFull] says. No lock is held while code of the
// user's runs.
//
// Queues are bounded: [Options].QueueBytes of what is to be sent, InboxBytes of
// what waits for handlers, RoomQueue of what waits for a room's loop.
//
// It is not a WebSocket library: it speaks the wire of docs/protocol.md.
package client
