package nats_test

import (
	"time"

	"github.com/finch-go/finch/broker/nats"
	natsgo "github.com/nats-io/nats.go"
)

// Three servers, credentials, and rooms that are remembered for a week.
func ExampleNew() {
	b := nats.New(nats.Options{
		URL:         "tls://nats-1.example,tls://nats-2.example,tls://nats-3.example",
		Namespace:   "chat",
		ForgetAfter: 7 * 24 * time.Hour,
		Connect:     []natsgo.Option{natsgo.UserCredentials("chat.creds"), natsgo.RootCAs("ca.pem")},
	})
	_ = b // finch.SocketManagerOptions{Broker: b}
}
