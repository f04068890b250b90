package conn

import (
	"syscall"

	"github.com/finch-go/finch/internal/wheel"
)

// socket is a Conn on a poller.
//
// Its descriptor is closed by tryClose and nobody else, under Conn.mu and only
// while nobody reads or writes. Every other system call on it is made under
// Conn.mu too, or while reading or writing is set: a number that the kernel
// has given to somebody else is never touched.
type socket struct {
	Conn
	p    *poller
	gen  uint32 // tells this socket's events from those of whoever had the descriptor before
	fd   int32  // -1 when closed; changed under Conn.mu
	node wheel.Node[socket]

	secure *secure // nil without TLS; does not change

	// Everything below is guarded by Conn.mu. Times are ticks of the poller's
	// clock, which wrap.

	heard uint32 // the peer's last sign of life
	asked uint32 // when it was pinged, while pinged
	since uint32 // when lingering or the pause began
	begun uint32 // when the frame that lacks its end began, while partial
	stuck uint32 // when the kernel last took bytes, while blocked

	armed     uint8 // what epoll watches for: watchIn, watchOut
	live      bool  // start has run
	reading   bool  // somebody reads
	shutting  bool  // closed as soon as nobody reads or writes
	eof       bool  // the peer's end of the stream
	halfShut  bool  // our end of it
	blocked   bool  // the kernel takes no more for now
	listed    bool  // on the flusher's list
	pinged    bool  // since heard
	lingering bool
	partial   bool
}

const (
	watchIn  = syscall.EPOLLIN
	watchOut = syscall.EPOLLOUT
)

// Deadline is the socket's place on the wheel of its poller.
func (s *socket) Deadline() *wheel.Node[socket] { return &s.node }

// start handles what has come already and then lets epoll watch.
func (s *socket) start(early []byte) {
	s.mu.Lock()
	if s.shutting {
		s.mu.Unlock()
		return
	}
	s.reading = true
	s.mu.Unlock()
	s.feed(early)
	var eof bool
	var err error
	if s.secure != nil { // which may have read more than it gave out
		buf := joins.Get().(*[plainSize]byte)
		eof, err = s.secure.turn(buf[:])
		joins.Put(buf)
	}
	s.mu.Lock()
	s.live, s.eof = true, eof
	// As if it had been heard up to half an interval later, or all who came
	// back together after a restart would be pinged together for ever.
	s.heard = s.p.clock()
	if half := uint32(s.cfg.Heartbeat / wheelTick / 2); s.cfg.Heartbeat > 0 && half > 0 {
		s.heard += s.gen * 2654435769 % half
	}
	s.p.ensure(s, s.nextDeadline())
	if e := s.drain(); err == nil { // the answer to the handshake does not wait for Opened
		err = e
	}
	s.endTurn(err)
}

// shut closes the descriptor, now or when it is free.
func (s *socket) shut() {
	s.mu.Lock()
	s.shutting = true
	s.tryClose()
	s.mu.Unlock()
}

// tryClose closes the descriptor if it must be and may be. Called with mu
// held.
func (s *socket) tryClose() {
	if !s.shutting || s.fd < 0 || s.reading || s.writing {
		return
	}
	if s.armed != 0 {
		sysEpollCtl(s.p.epfd, syscall.EPOLL_CTL_DEL, int(s.fd), 0, 0)
		s.armed = 0
	}
	sockets.remove(s)
	syscall.Close(int(s.fd))
	s.fd = -1
	s.p.forget(s)
	s.p.engine.leave(s.p)
}

// watch tells epoll what to look for. Nothing is a reason to leave it: an
// empty set would still report a hang-up, again and again. Called with mu
// held.
func (s *socket) watch() {
	if s.fd < 0 || s.shutting || !s.live {
		return
	}
	var want uint8
	if !s.paused && !s.eof {
		want |= watchIn
	}
	if s.blocked {
		want |= watchOut
	}
	if want == s.armed {
		return
	}
	op := syscall.EPOLL_CTL_MOD
	switch {
	case want == 0:
		op = syscall.EPOLL_CTL_DEL
	case s.armed == 0:
		op = syscall.EPOLL_CTL_ADD
	}
	s.armed = want
	if errno := sysEpollCtl(s.p.epfd, op, int(s.fd), uint32(want), s.gen); errno != 0 {
		s.armed = 0
		go s.lost("epoll: " + errno.Error()) // no memory, or more watches than the system allows
	}
}

// notice handles what epoll saw. Only the poller calls it.
func (s *socket) notice(events uint32) {
	const trouble = syscall.EPOLLERR | syscall.EPOLLHUP
	if events&(watchOut|trouble) != 0 {
		s.writable()
	}
	if events&(watchIn|trouble) != 0 {
		s.readable()
	}
}

// readable reads once: epoll is level-triggered, so what is left is seen
// again, after the neighbours.
func (s *socket) readable() {
	s.mu.Lock()
	if s.fd < 0 || s.shutting || s.paused || s.eof || !s.live {
		s.mu.Unlock()
		return
	}
	s.reading = true
	if s.secure != nil {
		s.mu.Unlock()
		eof, err := s.secure.turn(s.p.buf)
		s.mu.Lock()
		s.eof = eof
		s.endTurn(err)
		return
	}
	s.hear(s.p.now)
	s.mu.Unlock()
	n, errno := sysRead(int(s.fd), s.p.buf)
	s.feed(s.p.buf[:n])
	s.mu.Lock()
	switch {
	case errno == 0:
		s.eof = n == 0
		s.endTurn(nil)
	case errno == syscall.EAGAIN: // somebody's event, but not for us
		s.endTurn(nil)
	default:
		s.endTurn(errno)
	}
}

// endTurn ends a turn of reading. Called with mu held, which it releases.
func (s *socket) endTurn(err error) {
	s.reading = false
	if partial := s.parser.Partial(); partial != s.partial {
		s.partial = partial
		if partial {
			s.begun = s.p.clock()
			s.p.ensure(s, s.cfg.PartialWait+wheelTick)
		}
	}
	stalled := s.stall()
	s.watch()
	if s.running {
		if s.unwritten() {
			s.flush() // a handler may run for long, and pongs do not wait for it
		}
	} else if e := s.drain(); err == nil {
		err = e
	}
	var lost string
	switch {
	case err != nil:
		lost = err.Error()
	case s.secure != nil && s.secure.overflowed():
		lost = errOverflow.Error()
	case s.eof && s.phase == phaseOver:
		s.shutting = true
	case s.eof && !s.peerClosed:
		lost = "the peer vanished"
	}
	s.tryClose()
	s.mu.Unlock()
	if stalled {
		s.ev.Deaf(ErrInboxFull)
	}
	if lost != "" {
		s.lost(lost)
	}
}

func (s *socket) settled() {
	if s.eof {
		s.shutting = true
		s.tryClose()
	}
}

func (s *socket) pause() {
	s.since = s.p.clock()
	s.p.ensure(s, s.cfg.StallWait+wheelTick)
	s.watch()
}

// resume starts the peer's deadlines afresh: it may have kept them, and nobody
// looked.
func (s *socket) resume() {
	s.hear(s.p.clock())
	s.begun = s.heard
	if s.fd >= 0 {
		s.p.ensure(s, s.nextDeadline())
	}
	s.watch()
}

func (s *socket) linger() {
	s.lingering = true
	s.since = s.p.clock()
	if s.fd >= 0 {
		s.p.ensure(s, s.cfg.CloseWait+wheelTick)
	}
}
