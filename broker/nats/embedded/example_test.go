package embedded_test

import (
	"os"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker/nats/embedded"
)

// A program that is alone, and whose rooms outlive it.
func ExampleNew() {
	// region embedded
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Broker: embedded.New(embedded.Options{Dir: "/var/lib/chat"}),
		Secret: []byte(os.Getenv("CHAT_SECRET")), // the same after a restart
	})
	// endregion
	_ = sockets
}
