package bench

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"syscall"
	"unsafe"

	"github.com/finch-go/finch/internal/frame"
)

// phase is how far a socket has come.
type phase uint8

const (
	connecting phase = iota // TCP is not there yet
	shaking                 // the handshake is under way
	meeting                 // the dialect's first words are
	ready                   // payloads may travel
	leaving                 // a close frame has gone out or come in
	gone
)

// A socket is one connection of the load, owned by its loop.
type socket struct {
	index int // its place in loop.sockets
	fd    int
	phase phase
	slow  bool // is one of those that shall not read
	deaf  bool // does not read now
	armed bool // waits for room to write
	began int64
	key   *[keyLen]byte // while shaking
	early []byte        // an answer that is not whole

	tls    *tls.Conn // nil: plain TCP
	parser frame.Parser
	unsent []byte // what the kernel has not taken

	// code is the close code that the server gave; 0 if it gave none.
	code int
}

var errClosedEarly = errors.New("the server closed the connection")

// live reports whether payloads may be sent.
func (s *socket) live() bool { return s.phase == ready }

// read takes what has come, once: what is left makes the poller report again.
func (l *loop) read(s *socket) {
	if s.tls != nil {
		l.readTLS(s)
		return
	}
	n, errno := rawRead(s.fd, l.buf)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return
	case errno != 0:
		l.end(s, fmt.Errorf("the connection broke: %w", errno))
		return
	case n == 0:
		l.ended(s)
		return
	}
	l.arrived(s, l.buf[:n])
}

// ended: the server closed the connection.
func (l *loop) ended(s *socket) {
	if s.phase == leaving {
		l.end(s, nil)
		return
	}
	l.end(s, errClosedEarly)
}

// arrived handles bytes that came.
func (l *loop) arrived(s *socket, b []byte) {
	l.readAt = l.now()
	if s.phase == shaking {
		if b = l.answered(s, b); b == nil {
			return
		}
	}
	var err error
	l.together(s, func() { err = l.take(s, b) })
	if err != nil {
		l.end(s, err)
	}
}

// answered goes on with the handshake and returns what came behind it; nil if
// it is not over or has failed.
func (l *loop) answered(s *socket, b []byte) []byte {
	if len(s.early) > 0 {
		b = append(s.early, b...)
	}
	n, err := parseAnswer(b, *s.key)
	switch {
	case err != nil:
		l.end(s, err)
		return nil
	case n == 0:
		s.early = append([]byte(nil), b...)
		return nil
	}
	s.early, s.key = nil, nil
	s.phase = meeting
	d := &l.dialect
	if d.greet == "" && d.hello != "" {
		l.sendText(s, d.hello)
	}
	if d.greet == "" && d.hello == "" {
		l.meet(s)
	}
	return b[n:]
}

func (l *loop) meet(s *socket) {
	s.phase = ready
	l.opening--
	if s.deaf {
		l.watch(s)
	}
	l.load.opened(s, l.now())
}

// take reads frames. An error ends the socket.
func (l *loop) take(s *socket, b []byte) error {
	for len(b) > 0 && s.phase != gone {
		ev, n, err := s.parser.Next(&l.config, b)
		if err != nil {
			return fmt.Errorf("the server broke the protocol: %w", err)
		}
		b = b[n:]
		switch ev.Opcode {
		case frame.Text, frame.Binary:
			l.message(s, ev.Payload)
		case frame.Ping:
			l.send(s, frame.Pong, ev.Payload)
		case frame.Close:
			s.code = ev.Code
			if s.phase != leaving {
				l.send(s, frame.Close, frame.AppendClosePayload(nil, ev.Code, ""))
				l.lose(s, fmt.Errorf("the server closed the socket with %d %s", ev.Code, ev.Reason))
			}
		}
	}
	return nil
}

func (l *loop) message(s *socket, payload []byte) {
	d := &l.dialect
	switch s.phase {
	case ready:
		if d.ping != "" && string(payload) == d.ping {
			l.sendText(s, d.pong)
			return
		}
		l.load.received(s, payload, l.readAt)
	case meeting:
		switch {
		case bytes.HasPrefix(payload, []byte(d.ready)):
			l.meet(s)
		case d.greet != "" && bytes.HasPrefix(payload, []byte(d.greet)):
			l.sendText(s, d.hello)
		}
	}
}

func (l *loop) sendText(s *socket, text string) { l.send(s, frame.Text, []byte(text)) }

// send sends one frame: at once, or with the others at the end of the read that
// it answers.
func (l *loop) send(s *socket, op frame.Opcode, payload []byte) {
	if s.phase == gone {
		return
	}
	key := l.maskKey()
	if s == l.current {
		l.batch = frame.AppendMasked(l.batch, op, payload, key)
		return
	}
	l.frame = frame.AppendMasked(l.frame[:0], op, payload, key)
	l.write(s, l.frame)
}

// write sends bytes, under TLS if the socket is.
func (l *loop) write(s *socket, b []byte) {
	switch {
	case s.phase == gone:
	case s.tls == nil:
		l.push(s, b)
	default:
		if _, err := s.tls.Write(b); err != nil {
			l.end(s, fmt.Errorf("the connection broke: %w", err))
		}
	}
}

// push gives bytes to the kernel, and keeps those for which it has no room.
func (l *loop) push(s *socket, b []byte) {
	if len(s.unsent) == 0 {
		n, errno := rawWrite(s.fd, b)
		if errno != 0 && errno != syscall.EAGAIN && errno != syscall.EINTR {
			l.end(s, fmt.Errorf("the connection broke: %w", errno))
			return
		}
		b = b[max(n, 0):]
	}
	if len(b) > 0 {
		s.unsent = append(s.unsent, b...)
		l.unsent += int64(len(b))
		l.arm(s, true)
	}
}

// resume writes what there was no room for.
func (l *loop) resume(s *socket) {
	n, errno := rawWrite(s.fd, s.unsent)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return
	case errno != 0:
		l.end(s, fmt.Errorf("the connection broke: %w", errno))
		return
	}
	l.unsent -= int64(n)
	if s.unsent = s.unsent[n:]; len(s.unsent) == 0 {
		s.unsent = nil
		l.arm(s, false)
	}
}

// together sends what say sends to one socket in one write.
func (l *loop) together(s *socket, say func()) {
	l.current = s
	say()
	l.current = nil
	if len(l.batch) > 0 {
		l.write(s, l.batch)
		l.batch = l.batch[:0]
	}
}

// leave says goodbye; the server closes the connection then (RFC 6455 section
// 7.1.1).
func (l *loop) leave(s *socket) {
	if !s.live() {
		return
	}
	l.send(s, frame.Close, frame.AppendClosePayload(nil, 1000, ""))
	if s.phase != gone {
		s.phase = leaving
	}
}

// lose tells the load that a socket takes part no longer.
func (l *loop) lose(s *socket, why error) {
	was := s.phase
	s.phase = leaving
	switch was {
	case connecting, shaking, meeting:
		l.opening--
		l.load.failed(s, why)
	case ready:
		l.load.dropped(s, why)
	}
}

// end closes the connection.
func (l *loop) end(s *socket, why error) {
	if s.phase == gone {
		return
	}
	if s.phase != leaving {
		if why == nil {
			why = io.EOF
		}
		l.lose(s, why)
	}
	s.phase = gone
	l.open--
	l.unsent -= int64(len(s.unsent))
	s.unsent, s.early, s.key = nil, nil, nil
	s.parser = frame.Parser{}
	if s.fd >= 0 { // else TLS is not there yet
		syscall.Close(s.fd) // the poller forgets it too: the descriptor was never duplicated
	}
	s.fd, s.tls = -1, nil
}

// The raw calls do not tell Go's scheduler: on a descriptor that does not block
// they take as long as any function.

func rawRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

func rawWrite(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		n = 0
	}
	return int(n), errno
}
