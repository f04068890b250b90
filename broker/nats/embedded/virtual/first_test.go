//go:build !race

package virtual_test

import (
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// TestFirstMessageAfterADayProvesNothing: others may have come and gone since the
// room was found empty.
func TestFirstMessageAfterADayProvesNothing(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{})
		in := servers.Begin(t, b, "n")
		defer servers.CloseNode(t, b)
		heads := map[string]broker.Position{}
		for _, room := range []string{"soon", "late"} {
			heads[room] = servers.Open(t, b, room)
		}
		time.Sleep(12 * time.Hour)
		servers.Publish(t, s.node, "soon", "1", broker.PublishOptions{})
		time.Sleep(11 * time.Hour)
		servers.Publish(t, s.node, "late", "1", broker.PublishOptions{})
		time.Sleep(time.Second)
		for room, head := range heads {
			of := in.Messages(room)
			if len(of) != 1 || of[0].Follows(head) != (room == "soon") {
				t.Errorf("%s: %+v after %v", room, of, head)
			}
		}
		if head := servers.Open(t, b, "late"); head.IsEmpty() {
			t.Errorf("the head is %v", head)
		}
	})
}
