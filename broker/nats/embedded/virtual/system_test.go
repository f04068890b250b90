//go:build !race

package virtual_test

import (
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	"github.com/finch-go/finch/internal/badday"
)

// newStage is a server in a bubble, whose nodes have clocks that are minutes apart.
func newStage(t *testing.T) *badday.Stage {
	box := servers.NewBox(t)
	apart := 7 * time.Minute
	return &badday.Stage{
		Broker: func() broker.Broker {
			by := apart
			apart = -apart
			b, _ := servers.Wired(box, nats.Options{Now: func() time.Time { return time.Now().Add(by) }})
			return b
		},
		Stop: box.Stop, Start: func() { box.Start(t) }, Gone: time.Hour,
	}
}

func TestSystemIsWholeAfterAnHourWithoutItsServer(t *testing.T) {
	bubble(t, func(t *testing.T) { newStage(t).Outage(t) })
}

func TestSystemBeginsAnHourBeforeItsServer(t *testing.T) {
	bubble(t, func(t *testing.T) { newStage(t).LateStore(t) })
}

func TestClocksMinutesApartHarmNoSystem(t *testing.T) {
	bubble(t, func(t *testing.T) { newStage(t).Across(t) })
}
