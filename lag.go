package finch

import (
	"maps"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// Lagged remembers where the socket stands in an address that gives it nothing
// for now, and tells the client.
func (v *socketSink) Lagged(at hub.Address, from broker.Position) {
	s := (*Socket)(v)
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	x := s.extras()
	if x.lagging == nil {
		x.lagging = make(map[hub.Address]broker.Position, 1)
	}
	x.lagging[at] = from
	s.mu.Unlock()
	room, to := wireAddress(at)
	s.told(s.noteFrame(protocol.PathLagged, outcome{Room: room, To: to}))
	if s.conn.Queued() == 0 {
		// It fell behind without being blocked: nothing else would wake it. Not from
		// here, because the feed that has just emitted may be what calls.
		go s.catchUp()
	}
}

// lagsAt answers where the socket stands in an address in which it is behind.
func (s *Socket) lagsAt(at hub.Address) (broker.Position, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		return broker.Position{}, false
	}
	from, ok := s.more.lagging[at]
	return from, ok
}

// catchUp lets the socket go on in the addresses in which it is behind, now that
// it reads again.
func (s *Socket) catchUp() {
	s.mu.Lock()
	if s.more == nil || s.more.lagging == nil || s.closing {
		s.mu.Unlock()
		return
	}
	behind := s.more.lagging
	s.more.lagging = nil
	s.mu.Unlock()
	for at, from := range maps.All(behind) {
		if !s.manager.hub.In(s.member, at) {
			continue // it left meanwhile
		}
		// From nowhere would be a first entry, and what it missed forgotten.
		a := &attendance{socket: s, at: at, from: from, way: bySelf, resume: true}
		if err := s.set(a); err != nil {
			s.sink().Overflow()
			return
		}
	}
}

func (s *Socket) sink() *socketSink { return (*socketSink)(s) }

// told sends a frame of the framework's own to this socket alone; nil sends
// nothing. A socket that cannot take it is gone or about to be.
func (s *Socket) told(b []byte) {
	if b != nil {
		s.manager.hub.SendTo(s.member, s.rendered(b))
	}
}

// rendered answers a frame in the socket's own form.
func (s *Socket) rendered(b []byte) []byte {
	return s.manager.gate.compression.rendered(s.member.Rendition, b)
}

// noteFrame makes a frame of the framework's own for this socket alone.
func (s *Socket) noteFrame(path string, data any) []byte {
	b, err := s.frame(protocol.Envelope{Path: path, Status: protocol.StatusOK}, data)
	if err != nil {
		panic("finch: " + err.Error()) // what the framework says is JSON
	}
	return b
}
