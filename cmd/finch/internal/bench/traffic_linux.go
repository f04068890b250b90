package bench

import "time"

// The loop tells a run what happens to sockets; these are its ears.

func (r *run) opened(s *socket, now int64) {
	r.result.Opened++
	r.handshake.Record(now - s.began)
}

func (r *run) failed(_ *socket, why error) {
	r.result.Errors++
	r.errors[why.Error()]++
}

func (r *run) dropped(s *socket, why error) {
	if s.slow {
		return // hearSlow says what became of it
	}
	r.failed(s, why)
	if r.work != nil {
		r.work.dropped(s)
	}
}

func (r *run) received(s *socket, message []byte, now int64) {
	for any := false; ; any = true {
		st, whole, after, found := r.stamps.next(message)
		if !found {
			// Beside payloads servers of other dialects say things of their own.
			if !any && r.plan.Protocol == "raw" && r.work != nil {
				r.result.Faults.Unexpected++
			}
			return
		}
		message = after
		if s.slow {
			continue
		}
		if !whole {
			r.result.Faults.Corrupt++
		}
		if r.work != nil {
			r.work.arrived(s, st, now)
		}
	}
}

// book enters a payload that came and reports whether it is news.
func (r *run) book(b *book, st stamp, now int64) bool {
	switch b.take(st.seq) {
	case again:
		r.result.Faults.Duplicated++
		return false
	case tooLate:
		r.result.Faults.Reordered++
	}
	r.result.Received++
	if st.due >= r.from && st.due < r.to {
		r.latency.Record(now - st.due)
	}
	return true
}

func (r *run) due(now int64) int64 {
	if r.work == nil {
		return never
	}
	return r.work.due(now)
}

// send sends one payload.
func (r *run) send(s *socket, st stamp) {
	b := append(r.payload[:0], r.wrap.before...)
	b = r.stamps.append(b, st)
	r.payload = append(b, r.wrap.after...)
	r.loop.send(s, r.op, r.payload)
	r.result.Sent++
}

// A pace says when the messages of a rate are due: the first at once, the others
// evenly after it, whatever became of those before.
type pace struct {
	begin    int64
	interval float64 // ns
	n        int64   // how many were due so far
}

func newPace(begin int64, rate float64) *pace {
	return &pace{begin: begin, interval: float64(time.Second) / rate}
}

// next is when the next message is due.
func (p *pace) next() int64 { return p.begin + int64(float64(p.n)*p.interval) }
