package peer

import (
	"context"
	"net/http"

	"github.com/centrifugal/centrifuge"
)

// mountCentrifuge serves Centrifuge's own protocol: an echo is a remote call,
// and a message to everyone is sent and published into a channel to which the
// server subscribes each client.
func mountCentrifuge(mux *http.ServeMux) error {
	node, err := centrifuge.New(centrifuge.Config{ClientQueueMaxSize: 4 * maxMessage})
	if err != nil {
		return err
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		reply := centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}
		reply.Subscriptions = map[string]centrifuge.SubscribeOptions{"all": {}}
		return reply, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnRPC(func(e centrifuge.RPCEvent, answer centrifuge.RPCCallback) {
			answer(centrifuge.RPCReply{Data: e.Data}, nil)
		})
		c.OnMessage(func(e centrifuge.MessageEvent) {
			_, _ = node.Publish("all", e.Data)
		})
	})
	if err := node.Run(); err != nil {
		return err
	}
	handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin: anyOrigin, MessageSizeLimit: maxMessage, UseWriteBufferPool: true,
	})
	mux.Handle("/echo", handler)
	mux.Handle("/all", handler)
	return nil
}
