package redis_test

import (
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

func TestStandaloneKeepsTheContract(t *testing.T) {
	s := startServer(t)
	brokertest.Run(t, func(t *testing.T) *brokertest.Store {
		o := redis.Options{Addresses: []string{s.address()}, Namespace: namespace()}
		return &brokertest.Store{
			Node: func() broker.Broker { return redis.New(o) },
		}
	})
}
