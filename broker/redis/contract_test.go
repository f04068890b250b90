package redis_test

import (
	"testing"

	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

func TestStandaloneKeepsTheContract(t *testing.T) {
	s := startServer(t)
	brokertest.Run(t, func(t *testing.T) *brokertest.Store {
		return newStore(t, redis.Options{Addresses: []string{s.address()}}).contract()
	})
}
