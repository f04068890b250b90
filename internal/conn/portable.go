package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Portable serves every [net.Conn] with one goroutine that reads. A plain TCP
// connection that has nothing to say holds no buffer.
var Portable Engine = portableEngine{}

type portableEngine struct{}

func (portableEngine) New(nc net.Conn, first []byte, cfg *Config, ev Events) *Conn {
	p := &portable{Conn: Conn{cfg: cfg, ev: ev, inline: isInline(ev)}, nc: nc}
	p.tr = p
	p.queueAnswer(first)
	return &p.Conn
}

// portable is a Conn whose reader is a goroutine.
type portable struct {
	Conn
	nc net.Conn

	// Guarded by Conn.mu.
	deadline  time.Time     // for reading
	draining  bool          // the deadline is not that of nc for now: see drain
	lingering bool          // the read deadline belongs to the closing handshake, and the heartbeat must leave it alone
	flushing  bool          // the flusher runs
	resumed   chan struct{} // while paused: closed when reading goes on
	over      chan struct{} // closed by settled; nil if nobody waits for it

	shutOnce sync.Once
}

// readSize is what one read can bring, and so how much one turn of a flooding
// peer can put into its inbox.
const readSize = 16 << 10

func (p *portable) start(early []byte) { go p.read(early) }

// shut closes below TLS, whose own Close would wait for a peer that does not
// read; a peer that is to hear of the end has heard of it from closeWrite.
func (p *portable) shut() {
	p.shutOnce.Do(func() {
		nc := p.nc
		if outer, ok := nc.(interface{ NetConn() net.Conn }); ok {
			nc = outer.NetConn()
		}
		nc.Close()
	})
}

func (p *portable) linger() {
	p.lingering = true
	p.setReadDeadline(time.Now().Add(p.cfg.CloseWait))
}

// setReadDeadline ends waiting for bytes at a time. Called with mu held.
func (p *portable) setReadDeadline(at time.Time) {
	p.deadline = at
	if !p.draining {
		p.nc.SetReadDeadline(at)
	}
}

// drain reads what nc has in its own memory, without waiting for more: with a
// deadline that has passed, which is not to be mistaken for the real one.
func (p *portable) drain(buf []byte) (int, error) {
	p.mu.Lock()
	p.draining = true
	p.nc.SetReadDeadline(longAgo)
	p.mu.Unlock()
	n, err := p.nc.Read(buf)
	p.mu.Lock()
	p.draining = false
	p.nc.SetReadDeadline(p.deadline)
	p.mu.Unlock()
	return n, err
}

var longAgo = time.Unix(1, 0)

func (p *portable) pause() { p.resumed = make(chan struct{}) }

func (p *portable) resume() { close(p.resumed) }

func (p *portable) settled() {
	if p.over != nil {
		close(p.over)
		p.over = nil
	}
	if _, half := p.nc.(closeWriter); !half && p.said {
		p.shut() // or the peer would wait for our end of the stream until it lingers no more
	}
}

// read is the reader goroutine. It ends when the connection has ended, and
// then closes the network connection.
func (p *portable) read(early []byte) {
	defer p.shut()
	p.feed(early)
	src := newSource(p)
	beat := heartbeat{p: p, last: time.Now()}
	beat.arm()
	for {
		buf, n, err := src.wait()
		if n > 0 {
			p.feed(buf[:n])
			beat.heard()
		}
		src.done(buf)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !beat.expired() {
				continue
			}
			p.lost("no answer in time")
			return
		case errors.Is(err, io.EOF):
			p.ended()
			return
		default:
			p.lost(err.Error())
			return
		}
		if p.keepUp() {
			beat.resume()
		}
	}
}

// ended handles the end of the peer's stream. After its close frame our own
// half may still have something to say.
func (p *portable) ended() {
	p.mu.Lock()
	if !p.peerClosed || p.dead {
		p.mu.Unlock()
		p.lost("the peer vanished")
		return
	}
	if p.phase == phaseOver {
		p.mu.Unlock()
		return
	}
	over := make(chan struct{})
	p.over = over
	p.mu.Unlock()
	t := time.NewTimer(p.cfg.CloseWait)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
		p.lost("no answer in time")
	}
}

// keepUp waits until the handlers have caught up, and answers whether it had
// to.
func (p *portable) keepUp() bool {
	p.mu.Lock()
	stalled := p.stall()
	resumed := p.resumed
	p.mu.Unlock()
	if !stalled {
		return false
	}
	p.ev.Deaf(ErrInboxFull)
	t := time.NewTimer(p.cfg.StallWait)
	defer t.Stop()
	select {
	case <-resumed:
	case <-t.C:
		p.Close(codeTryAgain, "the server does not keep up")
	}
	return true
}

func (p *portable) flush() {
	if !p.flushing {
		p.flushing = true
		go p.write()
	}
}

// settle has nothing to do: the flusher runs by itself.
func (p *portable) settle() error { return nil }

const (
	writeSize   = 64 << 10 // how much is written under one deadline, or with one system call
	writeFrames = 64       // how many frames
)

// write is the flusher: it ends when nothing is queued.
func (p *portable) write() {
	spare := make([][]byte, 0, writeFrames)
	p.mu.Lock()
	for !p.dead && !p.out.empty() {
		batch := p.take(spare, writeSize)
		if len(batch[0]) > writeSize { // one frame of more than that: a piece of it
			batch[0] = batch[0][:writeSize]
		}
		size := 0
		for _, b := range batch {
			size += len(b)
		}
		p.mu.Unlock()
		p.nc.SetWriteDeadline(time.Now().Add(p.cfg.WriteWait))
		err := writeTogether(p.nc, batch, size)
		clear(batch)
		if err != nil {
			p.lost(err.Error())
		}
		p.mu.Lock()
		p.wrote(size)
	}
	p.flushing = false
	closing := p.phase == phaseClosing && !p.dead && !p.said
	if closing {
		p.closeWritten()
	}
	p.mu.Unlock()
	if closing {
		p.closeWrite()
	}
}

// writeTogether writes frames with one system call where it can.
func writeTogether(nc net.Conn, frames [][]byte, size int) error {
	if len(frames) == 1 {
		_, err := nc.Write(frames[0])
		return err
	}
	if _, ok := nc.(*net.TCPConn); ok {
		bufs := net.Buffers(append([][]byte(nil), frames...)) // WriteTo eats its slice
		_, err := bufs.WriteTo(nc)
		return err
	}
	joined := make([]byte, 0, size) // one TLS record, or one wake-up of a pipe
	for _, f := range frames {
		joined = append(joined, f...)
	}
	_, err := nc.Write(joined)
	return err
}

// closeWrite ends our half of the stream behind the close frame: closing
// while bytes of the peer are unread would destroy what we wrote, so the
// reader goes on until its end of the stream or the deadline.
func (p *portable) closeWrite() {
	if half, ok := p.nc.(closeWriter); ok {
		half.CloseWrite()
	}
}

// closeWriter is a network connection whose halves end one at a time. Others,
// such as one that a listener has wrapped, end when both sides have said so.
type closeWriter interface{ CloseWrite() error }
