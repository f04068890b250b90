package finch

import (
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// lag is an address in which a socket fell behind.
type lag struct {
	from broker.Position // where it stands there
	back bool            // a way back in is under way
}

// Lagged remembers where the socket stands in an address that gives it nothing
// for now, and tells the client.
func (sink *socketSink) Lagged(at hub.Address, from broker.Position) {
	s := (*Socket)(sink)
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	d := s.begin()
	if d.lagging == nil {
		d.lagging = make(map[hub.Address]lag, 1)
	}
	d.lagging[at] = lag{from: from}
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
	d := s.doings()
	if d == nil {
		return broker.Position{}, false
	}
	l, ok := d.lagging[at]
	return l.from, ok
}

// caughtUp forgets that the socket is behind in an address.
func (d *doings) caughtUp(at hub.Address) {
	delete(d.lagging, at)
	if len(d.lagging) == 0 {
		d.lagging = nil
	}
}

// catchUp lets the socket go on in the addresses in which it is behind, now that
// it reads again. It is behind there until it is in again.
func (s *Socket) catchUp() {
	s.mu.Lock()
	d := s.doings()
	if d == nil || d.lagging == nil || s.closing {
		s.mu.Unlock()
		return
	}
	behind := make(map[hub.Address]broker.Position, len(d.lagging))
	for at, l := range d.lagging {
		switch {
		case l.back:
		case !s.manager.hub.In(s.member, at): // it left just when it fell behind
			d.caughtUp(at)
		default:
			d.lagging[at] = lag{from: l.from, back: true}
			behind[at] = l.from
		}
	}
	s.mu.Unlock()
	for at, from := range behind {
		go s.goOn(at, from)
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
