package conn

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/finch-go/finch/internal/wheel"
)

const (
	// wheelTick is the precision of every deadline, and the unit of the times
	// that a socket keeps.
	wheelTick = 10 * time.Millisecond

	// never is later than every deadline.
	never = time.Duration(math.MaxInt64)

	// turnSize is how much one turn of one socket can bring: a flooding peer
	// waits for its neighbours after that.
	turnSize = 64 << 10

	// turnEvents is how many sockets are looked at before the executors they
	// woke get to run.
	turnEvents = 128
)

// poller waits for a share of the sockets, reads and parses what they bring,
// and watches their deadlines. It has two goroutines, run and flushAll, which
// end with stop.
type poller struct {
	engine  *epoll
	sockets int // guarded by engine.mu

	epfd int
	file *os.File // of epfd
	raw  syscall.RawConn
	done chan struct{} // closed by stop
	base time.Time     // its clock shows the time since then

	// Of the goroutine run.
	now    uint32 // ticks, when it woke
	events [turnEvents]syscall.EpollEvent
	buf    []byte // turnSize, shared by all sockets
	turns  atomic.Int64

	wheelMu sync.Mutex // may be taken with Conn.mu held
	wheel   *wheel.Wheel[socket, *socket]
	wake    time.Duration // when run wakes by itself

	flushMu sync.Mutex // may be taken with Conn.mu held
	dirty   []*socket  // have something to write
	bell    chan struct{}
}

func newPoller(e *epoll) (*poller, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	// An epoll descriptor can itself be polled: as a non-blocking file it
	// parks on the runtime's own poller, so that waiting blocks no thread.
	if err := syscall.SetNonblock(epfd, true); err != nil {
		syscall.Close(epfd)
		return nil, err
	}
	file := os.NewFile(uintptr(epfd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	p := &poller{
		engine: e,
		epfd:   epfd,
		file:   file,
		raw:    raw,
		done:   make(chan struct{}),
		base:   time.Now(),
		buf:    make([]byte, turnSize),
		wheel:  wheel.New[socket](wheelTick),
		wake:   never,
		bell:   make(chan struct{}, 1),
	}
	go p.run()
	go p.flushAll()
	return p, nil
}

// stop ends the poller; it has no sockets any more.
func (p *poller) stop() {
	close(p.done)
	p.file.Close()
}

// clock answers the poller's time in ticks, which wrap.
func (p *poller) clock() uint32 { return uint32(time.Since(p.base) / wheelTick) }

// run is the goroutine that waits.
func (p *poller) run() {
	n := 0
	look := func(uintptr) bool {
		var errno syscall.Errno
		if n, errno = sysEpollWait(p.epfd, p.events[:]); errno != 0 {
			panic(fmt.Sprintf("conn: epoll_wait: %v", errno)) // a wrong descriptor or a wrong pointer: ours
		}
		return n > 0
	}
	for {
		n = 0
		err := p.raw.Read(look)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // stop has closed the file
		}
		p.turns.Add(1)
		now := time.Since(p.base)
		p.now = uint32(now / wheelTick)
		for i := range n {
			ev := &p.events[i]
			if s := sockets.find(ev.Fd, uint32(ev.Pad)); s != nil {
				s.notice(ev.Events)
			}
		}
		p.expire(now)
		if n > 0 {
			runtime.Gosched() // the handlers first: they make room for what comes next
		}
	}
}

// expire handles the deadlines that have passed and sets the alarm for the
// next.
func (p *poller) expire(now time.Duration) {
	p.wheelMu.Lock()
	defer p.wheelMu.Unlock()
	if now >= p.wake {
		p.wheel.Advance(now)
		for s := p.wheel.Due(); s != nil; s = p.wheel.Due() {
			p.wheelMu.Unlock()
			s.expired()
			p.wheelMu.Lock()
		}
	}
	next, ok := p.wheel.Next()
	if !ok {
		next = never
	}
	if next != p.wake {
		p.alarm(next)
	}
}

// alarm makes run wake at a time. Called with wheelMu held.
func (p *poller) alarm(at time.Duration) {
	p.wake = at
	if at == never {
		p.file.SetReadDeadline(time.Time{})
		return
	}
	p.file.SetReadDeadline(p.base.Add(at))
}

// ensure makes the socket's deadlines be looked at in d from now at the
// latest. A later deadline is left where it is, which is why one that moves
// with every read costs nothing: it is looked at when it would have passed.
// Called with Conn.mu held.
func (p *poller) ensure(s *socket, d time.Duration) {
	if d == never {
		return
	}
	at := time.Since(p.base) + d
	p.wheelMu.Lock()
	defer p.wheelMu.Unlock()
	if cur, ok := p.wheel.At(s); ok && cur <= at {
		return
	}
	p.wheel.Set(s, at)
	if at < p.wake {
		p.alarm(at)
	}
}

// forget takes a socket off the wheel. Called with Conn.mu held.
func (p *poller) forget(s *socket) {
	p.wheelMu.Lock()
	p.wheel.Remove(s)
	p.wheelMu.Unlock()
}

// enlist makes the flusher see to a socket. Called with Conn.mu held.
func (p *poller) enlist(s *socket) {
	s.listed = true
	p.flushMu.Lock()
	p.dirty = append(p.dirty, s)
	first := len(p.dirty) == 1
	p.flushMu.Unlock()
	if first {
		select {
		case p.bell <- struct{}{}:
		default: // it rings already
		}
	}
}

// flushAll is the goroutine that writes what was sent from outside a handler,
// or by a handler that has not returned yet.
func (p *poller) flushAll() {
	var batch []*socket
	for {
		select {
		case <-p.bell:
		case <-p.done:
			return
		}
		// Whoever rang has perhaps more to send, and a handler that returns
		// now writes by itself.
		runtime.Gosched()
		p.flushMu.Lock()
		batch, p.dirty = p.dirty, batch[:0]
		p.flushMu.Unlock()
		for i, s := range batch {
			batch[i] = nil
			s.mu.Lock()
			s.listed = false
			err := s.drain()
			s.mu.Unlock()
			if err != nil {
				s.lost(err.Error())
			}
		}
	}
}
