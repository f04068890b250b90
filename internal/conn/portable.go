package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Engine takes over upgraded network connections and serves them.
type Engine interface {
	// New takes nc over. Nothing moves before [Conn.Start]; until then sends
	// are queued behind first, which is written before everything else (the
	// answer to the handshake). cfg is shared and comes from [Config.Ready].
	New(nc net.Conn, first []byte, cfg *Config, ev Events) *Conn
}

// Portable serves every [net.Conn] with one goroutine that reads. A plain TCP
// connection that has nothing to say holds no buffer.
var Portable Engine = portableEngine{}

type portableEngine struct{}

func (portableEngine) New(nc net.Conn, first []byte, cfg *Config, ev Events) *Conn {
	p := &portable{Conn: Conn{cfg: cfg, ev: ev}, nc: nc}
	p.tr = p
	p.queue(first)
	return &p.Conn
}

// portable is a Conn whose reader is a goroutine.
type portable struct {
	Conn
	nc net.Conn

	// lingering, guarded by Conn.mu: the read deadline belongs to the closing
	// handshake and the heartbeat must leave it alone.
	lingering bool

	shutOnce sync.Once
}

// readSize is what one read can bring, and so how much one turn of a flooding
// peer can put into its inbox.
const readSize = 16 << 10

func (p *portable) start(early []byte) { go p.read(early) }

func (p *portable) shut() { p.shutOnce.Do(func() { p.nc.Close() }) }

func (p *portable) linger(d time.Duration) {
	p.lingering = true
	p.nc.SetReadDeadline(time.Now().Add(d))
}

// read is the reader goroutine. It ends when the connection has ended, and
// then closes the network connection.
func (p *portable) read(early []byte) {
	defer p.shut()
	p.feed(early)
	src := newSource(p.nc)
	beat := heartbeat{p: p, last: time.Now()}
	beat.arm()
	for {
		buf, n, err := src.wait()
		if n > 0 {
			beat.heard()
			p.feed(buf[:n])
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
		if wait := p.stalled(); wait != nil {
			p.stall(wait)
			beat.resume()
		}
	}
}

// ended handles the end of the peer's stream. After its close frame our own
// half may still have something to say.
func (p *portable) ended() {
	p.mu.Lock()
	waits := p.peerClosed && !p.dead
	p.mu.Unlock()
	if !waits {
		p.lost("the peer vanished")
		return
	}
	over := p.overChan()
	if over == nil {
		return
	}
	t := time.NewTimer(p.cfg.CloseWait)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
		p.lost("no answer in time")
	}
}

// stall waits until the handlers have caught up.
func (p *portable) stall(wait <-chan struct{}) {
	t := time.NewTimer(p.cfg.StallWait)
	defer t.Stop()
	select {
	case <-wait:
	case <-t.C:
		p.Close(codeTryAgain, "the server does not keep up")
	}
}

// flush starts the flusher. Called with mu held.
func (p *portable) flush() { go p.write() }

// writeSize is how much is written under one deadline.
const writeSize = 64 << 10

// write is the flusher: it ends when nothing is queued.
func (p *portable) write() {
	var spare [][]byte
	for {
		p.mu.Lock()
		batch := p.out
		if len(batch) == 0 || p.dead {
			p.flushing = false
			closing := p.phase == phaseClosing && !p.dead && !p.said
			if closing {
				p.closeWritten()
			}
			tell := p.drained()
			p.mu.Unlock()
			if closing {
				p.closeWrite()
			}
			if tell {
				p.ev.Writable()
			}
			return
		}
		p.out = spare[:0]
		p.mu.Unlock()

		n, err := p.writeAll(batch)
		p.mu.Lock()
		p.queued -= n
		p.mu.Unlock()
		p.cfg.Meter.Queued.Add(int64(-n))
		clear(batch)
		spare = batch[:0]
		if err != nil {
			p.lost(err.Error())
		}
	}
}

// writeAll writes the frames of batch and answers how many bytes they are,
// written or not.
func (p *portable) writeAll(batch [][]byte) (total int, err error) {
	for _, b := range batch {
		total += len(b)
	}
	for len(batch) > 0 && err == nil {
		n, size := 0, 0
		for n < len(batch) && size+len(batch[n]) <= writeSize {
			size += len(batch[n])
			n++
		}
		if n == 0 { // one frame of more than that: a piece of it
			err = p.writeSome([][]byte{batch[0][:writeSize]}, writeSize)
			batch[0] = batch[0][writeSize:]
			continue
		}
		err = p.writeSome(batch[:n], size)
		batch = batch[n:]
	}
	return total, err
}

// writeSome writes at most writeSize bytes under one deadline.
func (p *portable) writeSome(frames [][]byte, size int) error {
	p.nc.SetWriteDeadline(time.Now().Add(p.cfg.WriteWait))
	return writeTogether(p.nc, frames, size)
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
	if half, ok := p.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	p.mu.Lock()
	over := p.phase == phaseOver
	p.mu.Unlock()
	if over {
		p.shut()
	}
}
