package conn

import (
	"sync"
	"syscall"
)

// writable goes on with what the kernel did not take.
func (s *socket) writable() {
	s.mu.Lock()
	if !s.blocked {
		s.mu.Unlock()
		return
	}
	s.blocked = false
	err := s.drain()
	s.watch()
	s.mu.Unlock()
	if err != nil {
		s.lost(err.Error())
	}
}

func (s *socket) flush() {
	// While somebody reads, the end of that turn flushes; while somebody
	// writes, that goes on until nothing is left.
	if s.live && !s.reading && !s.writing && !s.blocked && !s.listed {
		s.p.enlist(s)
	}
}

func (s *socket) settle() error { return s.drain() }

// flatFrame is the size up to which a frame is copied to be written with others: the
// kernel takes longer for one piece more than it takes to copy so much.
const flatFrame = 512

// gather is what a flusher works with.
type gather struct {
	frames [writeFrames][]byte
	iov    [writeFrames]syscall.Iovec
	flat   [writeFrames / 2 * flatFrame]byte
}

var gathers = sync.Pool{New: func() any { return new(gather) }}

// write writes frames with one system call.
func (g *gather) write(fd int, frames [][]byte) (int, syscall.Errno) {
	if len(frames) == 1 {
		return sysWrite(fd, frames[0][:min(len(frames[0]), writeSize)])
	}
	if flat := g.join(frames); flat != nil {
		return sysWrite(fd, flat)
	}
	for i, f := range frames {
		g.iov[i].Base = &f[0]
		g.iov[i].SetLen(len(f))
	}
	n, errno := sysWritev(fd, g.iov[:len(frames)])
	clear(g.iov[:len(frames)])
	return n, errno
}

// join copies frames into one piece, if all are so small that this costs less than
// handing them over one by one. It answers nil if they are not.
func (g *gather) join(frames [][]byte) []byte {
	n := 0
	for _, f := range frames {
		if len(f) > flatFrame || n+len(f) > len(g.flat) {
			return nil
		}
		n += copy(g.flat[n:], f)
	}
	return g.flat[:n]
}

// unwritten answers whether there is something to write. Called with mu held.
func (s *socket) unwritten() bool {
	return !s.out.empty() || s.secure != nil && !s.secure.empty()
}

// drain writes until nothing is queued or the kernel takes no more. Called
// with mu held, which it lets go of while it writes.
func (s *socket) drain() error {
	for s.live && s.fd >= 0 && !s.shutting && !s.dead && !s.writing && !s.blocked {
		if !s.unwritten() {
			if s.halfShut || s.phase == phaseOpen {
				return nil
			}
			s.shutHalf()
			continue
		}
		n, full, err := 0, false, error(nil)
		if s.secure != nil {
			n, full, err = s.writeSecure()
		} else {
			n, full, err = s.writePlain()
		}
		s.wrote(n)
		if s.shutting {
			s.tryClose()
			return nil
		}
		if err != nil {
			return err
		}
		if full {
			s.blocked = true
			s.stuck = s.p.clock()
			s.watch()
			s.p.ensure(s, s.cfg.WriteWait+wheelTick)
		}
	}
	return nil
}

// shutHalf ends our half of the stream behind the close frame. The other half
// is read until the peer ends it, for closing while its bytes are unread would
// destroy what we wrote. Called with mu held.
func (s *socket) shutHalf() {
	if !s.said {
		s.closeWritten()
		if s.secure != nil && s.fd >= 0 {
			s.secure.conn.CloseWrite() // something more to write
		}
		return
	}
	s.halfShut = true
	syscall.Shutdown(int(s.fd), syscall.SHUT_WR)
}

// writePlain writes some of what is queued with one system call; full says
// that the kernel took less. Called with mu held, which it lets go of.
func (s *socket) writePlain() (n int, full bool, err error) {
	g := gathers.Get().(*gather)
	batch := s.take(g.frames[:0], writeSize)
	size := 0
	for _, f := range batch {
		size += len(f)
	}
	s.mu.Unlock()
	n, errno := g.write(int(s.fd), batch)
	clear(batch)
	gathers.Put(g)
	s.mu.Lock()
	if errno != 0 && errno != syscall.EAGAIN {
		err = errno
	}
	return n, n < min(size, writeSize), err
}

// writeSecure writes pending records, or encrypts some of what is queued and
// writes that; n is what was encrypted. Called with mu held, which it lets go
// of.
func (s *socket) writeSecure() (n int, full bool, err error) {
	if !s.secure.empty() {
		s.writing = true
		s.mu.Unlock()
		full, err = s.secure.write()
		s.mu.Lock()
		return 0, full, err
	}
	g := gathers.Get().(*gather)
	batch := s.take(g.frames[:0], plainSize)
	s.mu.Unlock()
	n, err = s.secure.encrypt(batch)
	if err == nil {
		full, err = s.secure.write()
	}
	clear(batch)
	gathers.Put(g)
	s.mu.Lock()
	return n, full, err
}
