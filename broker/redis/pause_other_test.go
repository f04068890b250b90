//go:build !unix

package redis_test

import "os"

// Here no signal makes a process stand still; there is no redis-server either,
// so that no test comes so far.
var (
	standStill = os.Kill
	goOn       = os.Kill
)
