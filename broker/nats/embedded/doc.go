// Package embedded is package broker/nats with the NATS server inside the
// process: history that outlives the process, on one machine, without anything to
// install.
//
//	m := finch.NewSocketManager(&finch.SocketManagerOptions{
//		Broker: embedded.New(embedded.Options{Dir: "/var/lib/chat"}),
//	})
//
// It is for a program that is alone. Several processes share an external server
// through package broker/nats: the same code, another option. Clients are then
// told once to start anew, as the history is another.
package embedded
