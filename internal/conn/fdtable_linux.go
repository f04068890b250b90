package conn

import (
	"sync"
	"sync/atomic"
)

// fdTable finds the socket of a file descriptor. The kernel gives the lowest
// free number, so the table is as dense as the process's descriptors: 8 bytes
// each. Finding takes no lock.
//
// An event may be on its way when its descriptor is closed and the number
// given to another socket. That is what generations are for: each socket has
// its own, and an event carries that of the socket it was meant for.
type fdTable struct {
	chunks atomic.Pointer[[]*fdChunk]

	mu  sync.Mutex // guards growing and gen
	gen uint32
}

type fdChunk [1024]atomic.Pointer[socket]

// sockets holds every socket of every epoll engine, as descriptors belong to
// the process.
var sockets fdTable

// add enters s under its descriptor and gives it a generation.
func (t *fdTable) add(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gen++
	s.gen = t.gen
	var chunks []*fdChunk
	if p := t.chunks.Load(); p != nil {
		chunks = *p
	}
	if need := int(s.fd)/len(fdChunk{}) + 1; need > len(chunks) {
		grown := make([]*fdChunk, need)
		for i := copy(grown, chunks); i < need; i++ {
			grown[i] = new(fdChunk)
		}
		t.chunks.Store(&grown)
		chunks = grown
	}
	chunks[int(s.fd)/len(fdChunk{})][int(s.fd)%len(fdChunk{})].Store(s)
}

// remove must come before the descriptor is closed.
func (t *fdTable) remove(s *socket) {
	chunks := *t.chunks.Load()
	chunks[int(s.fd)/len(fdChunk{})][int(s.fd)%len(fdChunk{})].CompareAndSwap(s, nil)
}

// find answers the socket of an event, or nil if it has gone.
func (t *fdTable) find(fd int32, gen uint32) *socket {
	p := t.chunks.Load()
	if p == nil || fd < 0 || int(fd)/len(fdChunk{}) >= len(*p) {
		return nil
	}
	s := (*p)[int(fd)/len(fdChunk{})][int(fd)%len(fdChunk{})].Load()
	if s == nil || s.gen != gen {
		return nil
	}
	return s
}
