package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/finch-go/finch/broker"
)

// rights are what doc.go says that a user needs of the access list.
const rights = "+@read +@write +@pubsub +@scripting +@connection +time +info +cluster|slots +cluster|shards"

// oldest is the first version of Redis that knows sharded channels, and scripts
// that a full server refuses before they begin.
const oldest = 7

// inspect refuses servers that cannot be used, and warns of settings that lose
// data.
func (b *Broker) inspect(ctx context.Context) error {
	for address, node := range b.client().Nodes() {
		text, err := node.Do(ctx, node.B().Info().Build()).ToString()
		if err != nil {
			if b.cluster {
				continue // one of many; the others say enough
			}
			return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, explain(err))
		}
		info := parseInfo(text)
		if err := info.refuse(); err != nil {
			return fmt.Errorf("redis: %s: %w", address, err)
		}
		replica := info["role"] == "slave"
		if replica && !b.cluster {
			return fmt.Errorf("redis: %s is a read-only replica; name the master, or use Sentinel or a Cluster", address)
		}
		if policy := info["maxmemory_policy"]; policy != "noeviction" && info["maxmemory"] != "0" && policy != "" && !replica {
			b.options.Logger.Warn("redis: the server may evict what the broker must not lose: heads of rooms, and with them their epochs; "+
				"set maxmemory-policy to noeviction", "server", address, "policy", policy)
		}
	}
	return nil
}

// info is what a server says of itself.
type info map[string]string

func parseInfo(text string) info {
	i := info{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			i[key] = value
		}
	}
	return i
}

// refuse says why a server cannot be used.
func (i info) refuse() error {
	version := i["redis_version"] // Valkey says in it with which Redis it is compatible
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		return fmt.Errorf("the server is version %q; Redis %d.0, or Valkey, is needed", version, oldest)
	}
	return nil
}
