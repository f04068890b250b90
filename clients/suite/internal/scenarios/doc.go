// Package scenarios is what every client of Finch is held to: stories of a
// client and a server, each with the sentence of the pages that it checks.
//
// A story is a function of a stage.Stage, which plays the server and tells the
// client what to do. Nothing here sleeps longer than something must not happen.
package scenarios

import (
	"slices"

	"github.com/finch-go/finch/clients/suite/internal/stage"
)

// All returns the scenarios, in the order in which a new client best learns to
// pass them. The slice is the caller's.
func All() []stage.Scenario {
	return slices.Concat(events, requests, questions, binary, ends, retries, rooms, gaps, publishes, readings)
}
