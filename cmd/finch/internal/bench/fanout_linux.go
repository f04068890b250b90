package bench

// fanWork: what a few sockets send reaches all that read.
type fanWork struct {
	r          *run
	rooms      int // what one socket sends reaches those of its own
	each       int // publishers of a room; they stand together
	publishers []*socket
	sent       []uint32 // by publisher
	books      []book   // by socket and publisher of its room
	members    []int    // sockets that take part and read, by room
	pace       *pace    // nil: as fast as everybody has had the last
	slots      []slot   // the messages in flight, when there is no pace
	done       []int    // slots that are free, to be filled when the batch is read
	gone       []bool   // by publisher: dropped, and with it who knows how many messages
	left       int64    // deliveries that are still to come
	roll       []bool   // by socket: answered the roll call; nil when that is over
}

// A slot is one message in flight.
type slot struct {
	publisher int
	seq       uint32
	left      int // members that have not had it
}

func newFanWork(r *run) *fanWork {
	w := &fanWork{r: r, rooms: r.plan.Rooms, each: r.plan.Publishers}
	w.members = make([]int, w.rooms)
	members := make([][]*socket, w.rooms)
	for _, s := range r.loop.sockets {
		if s.live() && !s.slow {
			room := w.roomOf(s)
			members[room] = append(members[room], s)
		}
	}
	for _, m := range members { // a room that nobody opened has none, and all have as few
		w.each = min(w.each, len(m))
	}
	for room, m := range members {
		w.members[room] = len(m)
		for i := range w.each { // spread over those who opened first and last
			w.publishers = append(w.publishers, m[i*len(m)/w.each])
		}
	}
	w.sent, w.gone = make([]uint32, len(w.publishers)), make([]bool, len(w.publishers))
	w.books = make([]book, w.each*len(r.loop.sockets))
	return w
}

// roomOf is the room of a socket, as it was named when the socket opened.
func (w *fanWork) roomOf(s *socket) int { return s.index % w.rooms }

// roomOfPublisher is the room in which a publisher sends.
func (w *fanWork) roomOfPublisher(p int) int { return p / w.each }

func (w *fanWork) begin(now int64) {
	if len(w.publishers) == 0 {
		return
	}
	if w.r.plan.Rate > 0 {
		w.pace = newPace(now, w.r.plan.Rate)
		return
	}
	w.slots = make([]slot, w.r.plan.InFlight*w.rooms)
	for i := range w.slots {
		w.slots[i].publisher = i % len(w.publishers)
		w.fill(i, now)
	}
}

// fill sends the next message of a slot.
func (w *fanWork) fill(i int, now int64) {
	sl := &w.slots[i]
	if w.publish(sl.publisher, i, now) {
		sl.seq, sl.left = w.sent[sl.publisher]-1, w.members[w.roomOfPublisher(sl.publisher)]
	}
}

// publish sends one message to everyone; false if its sender is no longer here.
func (w *fanWork) publish(p, slot int, due int64) bool {
	s := w.publishers[p]
	if !s.live() {
		return false
	}
	seq := w.sent[p]
	w.sent[p]++
	w.left += int64(w.members[w.roomOfPublisher(p)])
	w.r.send(s, stamp{sender: p, slot: slot, seq: seq, due: due})
	return true
}

func (w *fanWork) due(now int64) int64 {
	for _, i := range w.done {
		if now < w.r.to {
			w.fill(i, now)
		}
	}
	w.done = w.done[:0]
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
		p := int(w.pace.n % int64(len(w.publishers)))
		w.pace.n++
		w.r.lateness.Record(now - due)
		w.publish(p, 0, due)
	}
}

func (w *fanWork) bookOf(s *socket, publisher int) *book {
	return &w.books[s.index*w.each+publisher%w.each]
}

func (w *fanWork) arrived(s *socket, st stamp, now int64) {
	if st.slot == rollSlot {
		if w.roll != nil && !w.roll[s.index] {
			w.roll[s.index] = true
			w.left--
		}
		return
	}
	if st.sender >= len(w.publishers) || w.roomOfPublisher(st.sender) != w.roomOf(s) {
		w.r.result.Faults.Unexpected++
		return
	}
	if !w.r.book(w.bookOf(s, st.sender), st, now) {
		return
	}
	w.left--
	w.delivered(st)
}

// delivered frees the slot of a message that everybody has had. It is filled in
// the next turn, so that all that became free together leave together.
func (w *fanWork) delivered(st stamp) {
	if st.slot >= len(w.slots) {
		return
	}
	sl := &w.slots[st.slot]
	if sl.left == 0 || sl.publisher != st.sender || sl.seq != st.seq {
		return
	}
	if sl.left--; sl.left == 0 {
		w.done = append(w.done, st.slot)
	}
}

func (w *fanWork) dropped(s *socket) {
	if w.roll != nil {
		w.arrived(s, stamp{slot: rollSlot}, 0)
		return
	}
	room := w.roomOf(s)
	w.members[room]--
	for p := room * w.each; p < (room+1)*w.each; p++ {
		if sent := w.sent[p]; !w.gone[p] {
			w.left -= int64(w.bookOf(s, p).lost(sent))
		}
		if w.publishers[p] == s {
			w.left -= int64(w.lostOf(p))
			w.gone[p] = true
		}
	}
	for i := range w.slots {
		if sl := &w.slots[i]; sl.left > 0 && w.roomOfPublisher(sl.publisher) == room && !w.bookOf(s, sl.publisher).has(sl.seq) {
			w.delivered(stamp{sender: sl.publisher, slot: i, seq: sl.seq})
		}
	}
}

func (w *fanWork) outstanding() int64 { return w.left }

func (w *fanWork) lost() (n uint64) {
	for p := range w.publishers {
		if !w.gone[p] {
			n += w.lostOf(p)
		}
	}
	return n
}

// lostOf counts what those who are here have not had of one publisher.
func (w *fanWork) lostOf(p int) (n uint64) {
	for _, s := range w.r.loop.sockets {
		if s.live() && !s.slow && w.roomOf(s) == w.roomOfPublisher(p) {
			n += w.bookOf(s, p).lost(w.sent[p])
		}
	}
	return n
}
