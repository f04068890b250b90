package link

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy listens on a port of the loopback and passes on to another. All
// methods may be called by any goroutine.
type Proxy struct {
	listener net.Listener
	target   string
	lose     Lossy // may be nil

	lost    atomic.Int64
	carried atomic.Int64 // connections so far

	mu      sync.Mutex // guards everything below
	state   State
	changed chan struct{} // closed when the state changes
	conns   map[net.Conn]struct{}
	closed  bool
	running sync.WaitGroup
}

// A State is what a link does to what passes. The zero value passes all on.
type State struct {
	Cut        bool          // connections end, and new ones do too
	StopToward bool          // nothing reaches the target
	StopBack   bool          // nothing comes back from it
	Delay      time.Duration // of each piece, both ways
	Uneven     time.Duration // the same, of one connection in Lanes besides
	Lane       int           // of which, from 0
	Lose       float64       // the share of pushed messages that are lost
}

// Lanes is how many connections two servers of NATS have between them, for accounts
// and for themselves; a link counts its connections by it.
const Lanes = 4

// Lossy makes what passes on the bytes that come back on one connection: a writer
// that leaves out messages where lose says so.
type Lossy func(write func([]byte) error, lose func() bool) func([]byte) error

// New makes a proxy for a target, which need not listen yet. draw answers a
// random number below 1; it is called by many goroutines.
func New(target string, lose Lossy, draw func() float64) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("failed to listen for a link: %w", err)
	}
	p := &Proxy{listener: l, target: target, lose: lose, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.running.Go(func() { p.accept(draw) })
	return p, nil
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Port is the port where it listens.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Lost is how many messages were left out.
func (p *Proxy) Lost() int64 { return p.lost.Load() }

// Set changes what the link does.
func (p *Proxy) Set(s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	close(p.changed)
	p.changed = make(chan struct{})
	if s.Cut {
		for c := range p.conns {
			c.Close()
		}
	}
}

// Change changes a part of what the link does.
func (p *Proxy) Change(change func(*State)) {
	p.mu.Lock()
	s := p.state
	p.mu.Unlock()
	change(&s)
	p.Set(s)
}

// Close ends the proxy and all that passes.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.Set(State{Cut: true})
	p.running.Wait()
}

func (p *Proxy) look() (State, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.changed
}

func (p *Proxy) accept(draw func() float64) {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if s, _ := p.look(); s.Cut {
			c.Close()
			continue
		}
		p.running.Go(func() { p.carry(c, draw) })
	}
}

// keep holds a connection so that a cut finds it; false if there is one now.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.state.Cut {
		c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) forget(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// carry passes on one connection, both ways, until either end is gone.
func (p *Proxy) carry(c net.Conn, draw func() float64) {
	if !p.keep(c) {
		return
	}
	defer p.forget(c)
	t, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil || !p.keep(t) {
		return
	}
	defer p.forget(t)
	lane := int(p.carried.Add(1) % Lanes)
	gone := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { c.Close(); t.Close(); close(gone) }) }
	var ways sync.WaitGroup
	ways.Go(func() {
		defer end()
		p.pass(gone, lane, c, write(t), func(s State) bool { return s.StopToward })
	})
	ways.Go(func() {
		defer end()
		back := write(c)
		if p.lose != nil {
			back = p.lose(back, func() bool {
				s, _ := p.look()
				if s.Lose == 0 || draw() >= s.Lose {
					return false
				}
				p.lost.Add(1)
				return true
			})
		}
		p.pass(gone, lane, t, back, func(s State) bool { return s.StopBack })
	})
	ways.Wait()
}

func write(to net.Conn) func([]byte) error {
	return func(b []byte) error {
		_, err := to.Write(b)
		return err
	}
}

// pass copies one direction, as the state of the link lets it.
func (p *Proxy) pass(gone <-chan struct{}, lane int, from net.Conn, write func([]byte) error, stopped func(State) bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			s, changed := p.look()
			for stopped(s) {
				select {
				case <-changed:
				case <-gone:
					return
				}
				s, changed = p.look()
			}
			delay := s.Delay
			if lane == s.Lane {
				delay += s.Uneven
			}
			if delay > 0 {
				select {
				case <-time.After(delay):
				case <-gone:
					return
				}
			}
			if write(buf[:n]) != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
