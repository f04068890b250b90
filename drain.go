package finch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/finch-go/finch/protocol"
)

const (
	// drainRate is at least how many clients a second are expected to be taken
	// over by other nodes: a tenth of what one core can shake hands with.
	drainRate = 1000
	// drainWorth is the shortest window worth telling anybody about.
	drainWorth = 500 * time.Millisecond
	// drainShare is how much of the time that Shutdown was given the window may
	// take; the rest is for handlers that run and goodbyes.
	drainShare = 0.8
	// drainTick is how often sockets are closed in the window.
	drainTick = 20 * time.Millisecond
)

// arrivals measures at which rate clients have come at the busiest: the rate at
// which they may be sent away, because whoever takes them over is like this node.
type arrivals struct {
	mu     sync.Mutex
	second int64
	count  int
	most   int
}

func (a *arrivals) note(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := now.Unix(); s != a.second {
		a.second, a.count = s, 0
	}
	a.count++
	a.most = max(a.most, a.count)
}

// window answers over how long so many clients are sent away.
func (a *arrivals) window(clients int) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Duration(clients) * time.Second / time.Duration(max(a.most, drainRate))
}

// drainWindow answers over how long the sockets of now are closed; 0: at once.
func (m *SocketManager) drainWindow(ctx context.Context, sockets int) time.Duration {
	window := m.drain
	switch {
	case sockets == 0 || window < 0:
		return 0
	case window == 0:
		if window = m.arrivals.window(sockets); window < drainWorth {
			return 0
		}
	}
	if end, ok := ctx.Deadline(); ok {
		window = min(window, time.Duration(drainShare*float64(time.Until(end))))
	}
	return max(window, 0)
}

// drainNotice tells a client when its turn is.
type drainNotice struct {
	Delay int64 `json:"delay"` // milliseconds
}

// drainPaced sends every client away at a time of its own, spread over a
// window, so that they do not all come back at one moment. It returns when all
// have been, or ctx has ended.
func (m *SocketManager) drainPaced(ctx context.Context, sockets []*Socket, window time.Duration, reason string) {
	rand.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
	turn := func(i int) time.Duration {
		return time.Duration(float64(window) * float64(i) / float64(len(sockets)))
	}
	for i, s := range sockets {
		if s.saidHello() {
			s.told(s.noteFrame(protocol.PathDrain, drainNotice{turn(i).Milliseconds()}))
		}
	}
	began := time.Now()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for i := 0; ; {
		for passed := time.Since(began); i < len(sockets) && turn(i) <= passed; i++ {
			sockets[i].conn.Drain(protocol.CloseDrain, reason)
		}
		if i == len(sockets) || m.CountClients() == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
