package demo

import (
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// Counts is what "counts" carries: how many are here now.
type Counts struct {
	Clients int `json:"clients"`
	Users   int `json:"users"`
}

// Connected is what "connected" tells a newcomer.
type Connected struct {
	Client string `json:"client"` // the socket's id
	User   string `json:"user"`   // empty: nobody in particular
	Counts
}

func countsOf(m *finch.SocketManager) Counts {
	return Counts{Clients: m.CountClients(), Users: m.CountUsers()}
}

// counts tells everyone how many are here, whenever that changes. Its zero
// value is ready to use.
type counts struct{ pulse pulse }

func (c *counts) arrived(s *finch.Socket) error {
	m := s.Manager()
	if err := s.Send("connected", Connected{Client: s.ID(), User: s.User(), Counts: countsOf(m)}); err != nil {
		return err
	}
	c.changed(s)
	return nil
}

// changed is told of everyone who comes or goes.
func (c *counts) changed(s *finch.Socket) {
	m := s.Manager()
	c.pulse.soon(func() { m.SendToAll("counts", countsOf(m)) })
}

// pulse makes one call of many. Ten thousand sockets that close at once would
// otherwise have the remaining told ten thousand times.
type pulse struct {
	mu      sync.Mutex
	waiting bool
}

const pulseEvery = 100 * time.Millisecond

// soon calls f once within pulseEvery, on a goroutine of its own, however
// often it is asked meanwhile.
func (p *pulse) soon(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting {
		return
	}
	p.waiting = true
	time.AfterFunc(pulseEvery, func() {
		p.mu.Lock()
		p.waiting = false // before f looks: what changes from here on is told by the next
		p.mu.Unlock()
		f()
	})
}
