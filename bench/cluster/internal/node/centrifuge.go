package node

import (
	"context"
	"fmt"
	"net/http"

	"github.com/centrifugal/centrifuge"
)

// centrifugeSide is an app on Centrifuge.
type centrifugeSide struct {
	http.Handler
	node *centrifuge.Node
}

func newCentrifuge(o Options) (side, error) {
	if o.Broker != "redis" {
		return nil, fmt.Errorf("there is no broker %q with history for centrifuge", o.Broker)
	}
	node, err := centrifuge.New(centrifuge.Config{
		Name: o.ID, ClientChannelLimit: MaxRooms,
		// Off unless asked for. With it clients that come back to one room at one
		// moment share a read, which is what it is measured for here. A read that is
		// shared may be older than the subscription: then the client has to subscribe
		// anew, which happens to a few of thousands.
		UseSingleFlight: true,
	})
	if err != nil {
		return nil, err
	}
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: o.URL})
	if err != nil {
		return nil, err
	}
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
	if err != nil {
		return nil, err
	}
	node.SetBroker(broker)
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			answer(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{EnableRecovery: true, EnablePositioning: true}}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return nil, err
	}
	return centrifugeSide{centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		UseWriteBufferPool: true, CheckOrigin: func(*http.Request) bool { return true },
	}), node}, nil
}

func (s centrifugeSide) publish(_ context.Context, room string, data []byte, key string) error {
	options := []centrifuge.PublishOption{centrifuge.WithHistory(HistorySize, HistoryAge)}
	if key != "" {
		options = append(options, centrifuge.WithIdempotencyKey(key))
	}
	_, err := s.node.Publish(room, data, options...)
	return err
}
