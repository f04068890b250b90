// Package scripted is the other end of a client's test: a server that does
// exactly what the test tells it, frame by frame, and nothing by itself but
// answer pings.
//
// It is not a Finch server: it knows no rooms and keeps no promise, so that a
// test can break each of them.
//
//	server, err := scripted.Listen()     // or scripted.New() and its Dial, in memory
//	door := server.Door("/ws")
//	conn, err := door.Accept(ctx)        // the next client, upgraded
//	hello, err := conn.Next(ctx)         // its first message
//	conn.Answer(hello, json.RawMessage(`{"version":1}`))
//	conn.Drop()
//
// A Server, its doors and its connections may be used by several goroutines.
package scripted
