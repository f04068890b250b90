package client

import (
	"bufio"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

const (
	// writePatience is how long the server may take none of what is written
	// before the connection counts as dead.
	writePatience = 15 * time.Second
	// closePatience is how long the server has to answer a close frame.
	closePatience = 2 * time.Second
	// writePiece is written at once, in bytes.
	writePiece = 32 << 10
	// readBuffer is read at once, in bytes.
	readBuffer = 16 << 10
)

// A link is one connection, from the handshake on. Two goroutines, which end
// with it, read and write; everything that comes is handed to take, in order,
// by the reader.
type link struct {
	nc     net.Conn
	config frame.Config
	take   func(*link, frame.Event)

	begun time.Time
	heard atomic.Int64 // when something came last, in nanoseconds since begun

	opened  chan struct{} // closed when finch.hello is answered
	drained chan struct{} // capacity 1: slot was set
	dead    chan struct{} // closed when the end is known
	done    chan struct{} // closed when nothing more is handed to take

	mu      sync.Mutex // guards everything below
	out     []byte     // frames that wait to be written
	closing bool       // the last frame is in out, or was
	flushed chan struct{}
	wake    chan struct{} // capacity 1: there is something in out
	end     *ending       // nil while it lives
	reason  string        // of the end
	slot    time.Time     // when finch.drain wants the client to come back; zero: never said
	openAt  time.Time
}

// newLink begins to read and write. in holds what was read behind the handshake.
func newLink(nc net.Conn, in *bufio.Reader, maxMessage int, take func(*link, frame.Event)) *link {
	l := &link{
		nc: nc, config: frame.Config{Client: true, MaxMessage: maxMessage}, take: take, begun: time.Now(),
		opened: make(chan struct{}), drained: make(chan struct{}, 1), dead: make(chan struct{}), done: make(chan struct{}),
		flushed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	go l.read(in)
	go l.write()
	return l
}

// open notes that finch.hello was answered.
func (l *link) open() {
	l.mu.Lock()
	l.openAt = time.Now()
	l.mu.Unlock()
	close(l.opened)
}

// drain notes when the server wants the client to come back.
func (l *link) drain(delay time.Duration) {
	l.mu.Lock()
	l.slot = time.Now().Add(delay)
	l.mu.Unlock()
	select {
	case l.drained <- struct{}{}:
	default:
	}
}

// untilSlot is how long it is until the moment that finch.drain gave.
func (l *link) untilSlot() (left time.Duration, draining bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.slot), !l.slot.IsZero()
}

// ping asks for a sign of life.
func (l *link) ping() { l.frame(frame.Ping, nil) }

// age is how long the link is there; heardAt is the age at which something came
// last.
func (l *link) age() time.Duration     { return time.Since(l.begun) }
func (l *link) heardAt() time.Duration { return time.Duration(l.heard.Load()) }

// queued is how many bytes wait to be written.
func (l *link) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.out)
}

// send queues a message. A link that has ended swallows it, as a network does.
func (l *link) send(o *outgoing) {
	if o.binary != nil {
		l.frame(frame.Binary, protocol.AppendBinary(nil, &o.Envelope, o.binary))
		return
	}
	l.frame(frame.Text, protocol.Append(nil, &o.Envelope))
}

func (l *link) frame(op frame.Opcode, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue(op, payload)
}

// queue is called with mu held.
func (l *link) queue(op frame.Opcode, payload []byte) {
	if l.closing || l.end != nil {
		return
	}
	var key [4]byte // unpredictable: the generator of math/rand/v2 is a cipher with a seed of the system's (RFC 6455 section 10.3)
	bits := rand.Uint32()
	key[0], key[1], key[2], key[3] = byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24)
	l.out = frame.AppendMasked(l.out, op, payload, key)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// leave says goodbye behind everything that was queued, and ends the connection
// when the server has answered, or has taken too long to.
func (l *link) leave(code int, reason string) {
	l.mu.Lock()
	l.queue(frame.Close, frame.AppendClosePayload(nil, code, reason))
	l.closing = true
	l.mu.Unlock()
	time.AfterFunc(closePatience, func() { l.fail(protocol.CloseAbnormal, "the server did not answer the close") })
}

// fail ends the connection now. The first end counts.
func (l *link) fail(code int, reason string) {
	l.settle(code, reason)
	l.nc.Close()
}

// settle notes how the connection ended; what comes from now on is passed over.
func (l *link) settle(code int, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil {
		return
	}
	l.end, l.reason = &ending{code: code}, reason
	if !l.openAt.IsZero() {
		l.end.opened = true
		l.end.held = time.Since(l.openAt)
	}
	close(l.dead)
}

// ended returns how the connection ended, once it has.
func (l *link) ended() (e ending, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e = *l.end
	if !l.slot.IsZero() {
		e.drained, e.slot = true, time.Until(l.slot)
	}
	return e, l.reason
}

// part writes a last close frame, if none was written, and gives it a moment to
// go out.
func (l *link) part(code int) {
	l.mu.Lock()
	if !l.closing {
		var key [4]byte
		l.out = frame.AppendMasked(l.out, frame.Close, frame.AppendClosePayload(nil, code, ""), key)
		l.closing = true
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	l.mu.Unlock()
	select {
	case <-l.flushed:
	case <-time.After(closePatience):
	}
	l.nc.Close()
}

// read ends with the connection.
func (l *link) read(in *bufio.Reader) {
	defer close(l.done)
	defer l.nc.Close()
	var p frame.Parser
	buf := make([]byte, readBuffer)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			l.heard.Store(int64(l.age()))
		}
		for b := buf[:n]; len(b) > 0; {
			ev, used, bad := p.Next(&l.config, b)
			b = b[used:]
			if bad != nil {
				// Not the server's own close: whatever stands between may have
				// garbled it, so it counts as a connection that broke.
				l.settle(protocol.CloseAbnormal, bad.Error())
				l.part(bad.(*frame.Error).Code)
				return
			}
			if ev.Opcode == frame.Close {
				l.settle(ev.Code, ev.Reason)
				l.part(ev.Code)
				return
			}
			if ev.Opcode != frame.Continuation {
				l.take(l, ev)
			}
			select {
			case <-l.dead:
				return
			default:
			}
		}
		if err != nil {
			l.settle(protocol.CloseAbnormal, "the connection broke: "+err.Error())
			return
		}
	}
}

// write ends with the connection.
func (l *link) write() {
	var spare []byte
	for {
		select {
		case <-l.wake:
		case <-l.done:
			return
		}
		l.mu.Lock()
		b, last := l.out, l.closing
		l.out = spare[:0]
		l.mu.Unlock()
		if err := l.writeAll(b); err != nil {
			l.fail(protocol.CloseAbnormal, "the connection broke: "+err.Error())
			return
		}
		if last {
			close(l.flushed)
			return
		}
		if spare = b; cap(spare) > readBuffer {
			spare = nil
		}
	}
}

// writeAll writes in pieces, so that the deadline is for the server's taking none
// of it, and not for a slow network.
func (l *link) writeAll(b []byte) error {
	for len(b) > 0 {
		piece := b[:min(len(b), writePiece)]
		l.nc.SetWriteDeadline(time.Now().Add(writePatience))
		if _, err := l.nc.Write(piece); err != nil {
			return err
		}
		b = b[len(piece):]
	}
	return nil
}
