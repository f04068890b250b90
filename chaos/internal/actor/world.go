package actor

import (
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/chaos/internal/story"
)

// A World is what the actors live in.
type World struct {
	Story *story.Story
	// Now is the time since the start.
	Now func() time.Duration
	// Nodes are the addresses of the nodes, which may be down.
	Nodes []string
	// Rooms are those that one may join; Weights say how often each is chosen to
	// publish in.
	Rooms   []string
	Weights []float64
	// Pause is how long an actor waits between two publishes, on average.
	Pause time.Duration

	phase atomic.Int32
	// Replaced counts sockets that were ended for another of their session which
	// their client had given up before.
	Replaced atomic.Int64
	// Overtaken counts newcomers whose room got its message after they had been told
	// where it stands.
	Overtaken atomic.Int64
	// Connects counts connections.
	Connects atomic.Int64
}

// What all actors are about.
const (
	acting   int32 = iota // anything goes
	settling              // nothing is begun any more; what is pending is finished
)

// Settle ends the acting: actors stay where they are and finish what they began.
func (w *World) Settle() { w.phase.Store(settling) }

func (w *World) settles() bool { return w.phase.Load() == settling }
