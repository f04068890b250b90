package redis

import (
	_ "embed"

	"github.com/redis/rueidis"
)

var (
	//go:embed scripts/publish.lua
	publishSource string
	//go:embed scripts/read.lua
	readSource string
	//go:embed scripts/purge.lua
	purgeSource string
	//go:embed scripts/lease.lua
	leaseSource string
)

// Scripts are called by their hash, and sent whole to a server that does not know
// them yet: after a restart, a failover, a new server of a cluster.
var (
	publishScript = rueidis.NewLuaScript(publishSource)
	readScript    = rueidis.NewLuaScript(readSource)
	purgeScript   = rueidis.NewLuaScript(purgeSource)
	leaseScript   = rueidis.NewLuaScript(leaseSource)
)
