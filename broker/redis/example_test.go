package redis_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// A broker is given to whatever stands on it; this is what that does with it.
func ExampleNew() {
	b := redis.New(redis.Options{URL: "redis://127.0.0.1:6379"})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: "node-1"}, &brokertest.Inbox{}); err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close(ctx)
	heads, err := b.Open(ctx, []string{"lobby"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ack, err := b.Publish(ctx, "lobby", []byte("hello"), broker.PublishOptions{Key: "chosen before the first try", Publisher: "ada"})
	fmt.Println(heads[0].Position, ack.Position, err)
}

// Every node of a system is made alike.
func ExampleNew_sockets() {
	// region redis
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Broker: redis.New(redis.Options{URL: "redis://redis-1:6379"}),
		Secret: []byte(os.Getenv("CHAT_SECRET")), // the same on all nodes
	})
	// endregion
	_ = sockets
}

// Three Sentinels, and the master that they watch.
func ExampleNew_sentinel() {
	redis.New(redis.Options{
		Addresses:      []string{"sentinel-1:26379", "sentinel-2:26379", "sentinel-3:26379"},
		SentinelMaster: "main",
		Password:       "secret",
	})
}

// Some servers of a Cluster: they name the others.
func ExampleNew_cluster() {
	redis.New(redis.Options{Addresses: []string{"redis-1:6379", "redis-2:6379"}})
}
