package main

import (
	"testing"

	"github.com/finch-go/finch/examples/mount/mounttest"
	"github.com/finch-go/finch/examples/mount/whoami"
)

func TestRoundTrip(t *testing.T) { mounttest.RoundTrip(t, newRouter(whoami.New())) }
