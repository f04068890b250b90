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
// them yet: after a restart, a failover, a new server of a cluster. The hash is the
// server's to compute: it is SHA-1, with which a program that keeps to FIPS 140
// would not even start.
var (
	publishScript = rueidis.NewLuaScript(publishSource, rueidis.WithLoadSHA1(true))
	readScript    = rueidis.NewLuaScript(readSource, rueidis.WithLoadSHA1(true))
	purgeScript   = rueidis.NewLuaScript(purgeSource, rueidis.WithLoadSHA1(true))
	leaseScript   = rueidis.NewLuaScript(leaseSource, rueidis.WithLoadSHA1(true))
)
