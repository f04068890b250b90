package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
	"unsafe"

	"github.com/finch-go/finch/internal/frame"
)

// A load decides what sockets say. Its methods are called by the loop.
type load interface {
	// opened: a socket is ready for payloads.
	opened(s *socket, now int64)
	// failed: a socket never became ready.
	failed(s *socket, why error)
	// received: a message came. The bytes live until it returns.
	received(s *socket, message []byte, now int64)
	// dropped: a socket that was ready has ended, and not because it left.
	dropped(s *socket, why error)
	// due does what is due and returns when something will be next.
	due(now int64) (next int64)
}

// A loop holds the sockets of a run. One goroutine uses it.
type loop struct {
	epfd    int
	start   time.Time
	target  *target
	hello   *greeting
	dialect dialect
	config  frame.Config
	load    load
	tls     *tlsDialer // nil: plain TCP

	sockets []*socket
	open    int   // connections that are not gone
	opening int   // those of them that are not ready yet
	unsent  int64 // bytes that the kernel has not taken

	events  []syscall.EpollEvent
	coarse  bool    // the kernel is older than 5.11 and waits by the millisecond
	buf     []byte  // what was read
	readAt  int64   // when it was
	current *socket // whose it is
	batch   []byte  // what is sent in answer, together
	frame   []byte  // one frame on its way out
}

const (
	// readBuffer is what one read takes at most: with less, a socket that has
	// much to say costs more calls; with more, it holds up its neighbours.
	readBuffer = 256 << 10
	// eventBatch is how many sockets are served before time is looked at again.
	eventBatch = 256
	// never is later than anything.
	never = int64(1<<63 - 1)
)

func newLoop(t *target, g *greeting, d dialect) (*loop, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("no epoll: %w", err)
	}
	return &loop{
		epfd: epfd, start: time.Now(), target: t, hello: g, dialect: d,
		config: frame.Config{Client: true},
		events: make([]syscall.EpollEvent, eventBatch),
		buf:    make([]byte, readBuffer),
	}, nil
}

// secure makes the loop open its sockets under TLS.
func (l *loop) secure(d *tlsDialer) error {
	l.tls = d
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: wakeIndex}
	if err := syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_ADD, d.wake, &ev); err != nil {
		return fmt.Errorf("epoll refuses the eventfd: %w", err)
	}
	return nil
}

// close cuts off what is left and frees the loop.
func (l *loop) close() {
	for _, s := range l.sockets {
		if s.phase != gone && s.fd >= 0 {
			syscall.Close(s.fd)
		}
		s.phase = gone
	}
	if l.tls != nil {
		l.tls.close()
	}
	syscall.Close(l.epfd)
}

// now is the time since the run began, in nanoseconds.
func (l *loop) now() int64 { return int64(time.Since(l.start)) }

func (l *loop) maskKey() (key [4]byte) {
	v := rand.Uint32()
	return [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}

// dial opens one more socket, which was due at began.
func (l *loop) dial(began int64, slow bool) {
	s := &socket{index: len(l.sockets), fd: -1, began: began, slow: slow, deaf: slow, phase: gone}
	l.sockets = append(l.sockets, s)
	if l.tls != nil {
		l.dialTLS(s)
		return
	}
	fd, done, err := l.target.dial(s.index, slow)
	if err != nil {
		l.load.failed(s, fmt.Errorf("cannot connect: %w", err))
		return
	}
	s.fd, s.phase = fd, connecting
	l.open++
	l.opening++
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(s.index)}
	if !done {
		ev.Events |= syscall.EPOLLOUT
		s.armed = true
	}
	if err := syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		l.end(s, fmt.Errorf("epoll refuses the socket: %w", err))
		return
	}
	if done {
		l.greet(s)
	}
}

// greet sends the handshake: TCP is there.
func (l *loop) greet(s *socket) {
	s.phase = shaking
	var key [keyLen]byte
	l.frame, key = l.hello.append(l.frame[:0], s.index)
	s.key = &key
	l.write(s, l.frame)
}

// arm asks to be told of room to write, or no longer.
func (l *loop) arm(s *socket, on bool) {
	if s.armed == on {
		return
	}
	s.armed = on
	l.watch(s)
}

// mute makes a socket stop reading, or begin again.
func (l *loop) mute(s *socket, on bool) {
	if s.phase != gone {
		s.deaf = on
		l.watch(s)
	}
}

// watch tells the poller what a socket waits for. A socket that waits for
// nothing is taken out, because the poller reports a hang-up even to those who
// ask for nothing.
func (l *loop) watch(s *socket) {
	ev := syscall.EpollEvent{Fd: int32(s.index)}
	if !s.deaf || s.phase < ready {
		ev.Events |= syscall.EPOLLIN
	}
	if s.armed {
		ev.Events |= syscall.EPOLLOUT
	}
	if ev.Events == 0 {
		_ = syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_DEL, s.fd, &ev)
		return
	}
	err := syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_MOD, s.fd, &ev)
	if errors.Is(err, syscall.ENOENT) {
		err = syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_ADD, s.fd, &ev)
	}
	if err != nil {
		l.end(s, fmt.Errorf("epoll refuses the socket: %w", err))
	}
}

// step does what is due, waits until something happens, at most until the given
// time, and handles it.
func (l *loop) step(until int64) error {
	now := l.now()
	if next := l.load.due(now); next < until {
		until = next
	}
	n, errno := l.wait(until - l.now())
	if errno != 0 && errno != syscall.EINTR {
		return fmt.Errorf("epoll: %w", errno)
	}
	for i := range max(n, 0) {
		ev := &l.events[i]
		if ev.Fd == wakeIndex {
			l.dialed()
			continue
		}
		s := l.sockets[ev.Fd]
		if s.phase != gone && ev.Events&(syscall.EPOLLOUT|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 && s.armed {
			l.writable(s)
		}
		if s.phase != gone && ev.Events&(syscall.EPOLLIN|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
			l.read(s)
		}
	}
	return nil
}

func (l *loop) writable(s *socket) {
	if s.phase != connecting {
		l.resume(s)
		return
	}
	code, err := syscall.GetsockoptInt(s.fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err != nil {
		l.end(s, fmt.Errorf("cannot connect: %w", err))
		return
	}
	s.armed = false
	l.watch(s)
	l.greet(s)
}

// sysEpollPwait2 is the same number on every architecture that took its calls
// from the common table; where it is another the kernel says ENOSYS.
const sysEpollPwait2 = 441

// wait waits for at most the given time in nanoseconds and fills l.events. It
// looks without waiting first: under load there is always something, and Go's
// scheduler need not hear of it.
func (l *loop) wait(ns int64) (int, syscall.Errno) {
	if !l.coarse {
		fd, p, size := uintptr(l.epfd), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events))
		var at syscall.Timespec
		n, _, errno := syscall.RawSyscall6(sysEpollPwait2, fd, p, size, uintptr(unsafe.Pointer(&at)), 0, 0)
		if errno == 0 && n == 0 && ns > 0 {
			at = syscall.NsecToTimespec(ns)
			n, _, errno = syscall.Syscall6(sysEpollPwait2, fd, p, size, uintptr(unsafe.Pointer(&at)), 0, 0)
		}
		if errno != syscall.ENOSYS {
			return int(n), errno
		}
		l.coarse = true
	}
	// Whole milliseconds, rounded down so that nothing is sent too late: the last
	// one is spent asking.
	ms := max(0, min(ns/int64(time.Millisecond), 1000))
	n, err := syscall.EpollWait(l.epfd, l.events, int(ms))
	errno, _ := err.(syscall.Errno)
	return n, errno
}
