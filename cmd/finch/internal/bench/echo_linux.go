package bench

// echoWork: each socket gets back what it sends.
type echoWork struct {
	r     *run
	sent  []uint32 // by socket
	books []book   // by socket
	pace  *pace    // nil: as fast as the answers come
	turn  int      // whose message is due next
	left  int64    // answers that are still to come
}

func newEchoWork(r *run) *echoWork {
	n := len(r.loop.sockets)
	return &echoWork{r: r, sent: make([]uint32, n), books: make([]book, n)}
}

func (w *echoWork) begin(now int64) {
	if w.r.plan.Rate > 0 {
		w.pace = newPace(now, w.r.plan.Rate)
		return
	}
	for _, s := range w.r.loop.sockets {
		// In one write, as they will be sent from then on.
		w.r.loop.together(s, func() {
			for range w.r.plan.InFlight {
				w.send(s, now)
			}
		})
	}
}

func (w *echoWork) send(s *socket, due int64) {
	if !s.live() {
		return
	}
	w.r.send(s, stamp{sender: s.index, seq: w.sent[s.index], due: due})
	w.sent[s.index]++
	w.left++
}

func (w *echoWork) due(now int64) int64 {
	if w.pace == nil {
		return never
	}
	for {
		due := w.pace.next()
		if due >= w.r.to {
			return never
		}
		if due > now {
			return due
		}
		w.pace.n++
		for range w.r.loop.sockets { // the next one that is here
			s := w.r.loop.sockets[w.turn%len(w.r.loop.sockets)]
			w.turn++
			if s.live() {
				w.r.lateness.Record(now - due)
				w.send(s, due)
				break
			}
		}
	}
}

func (w *echoWork) arrived(s *socket, st stamp, now int64) {
	if st.sender != s.index {
		w.r.result.Faults.Unexpected++
		return
	}
	if !w.r.book(&w.books[s.index], st, now) {
		return
	}
	w.left--
	if w.pace == nil && now < w.r.to {
		w.send(s, now)
	}
}

func (w *echoWork) dropped(s *socket) { w.left -= int64(w.books[s.index].lost(w.sent[s.index])) }

func (w *echoWork) outstanding() int64 { return w.left }

func (w *echoWork) lost() (n uint64) {
	for i, s := range w.r.loop.sockets {
		if s.live() {
			n += w.books[i].lost(w.sent[i])
		}
	}
	return n
}
