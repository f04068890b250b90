// Package wheel keeps the deadlines of very many owners without a timer for
// each: a hierarchical timing wheel of intrusive nodes. To set, move or remove
// a deadline costs the same however many there are, and allocates nothing.
//
// It has no clock and no goroutine: whoever drives it says what time it is and
// asks when to come back.
//
//	type socket struct {
//		deadline wheel.Node[socket]
//		...
//	}
//
//	func (s *socket) Deadline() *wheel.Node[socket] { return &s.deadline }
//
//	w := wheel.New[socket](10 * time.Millisecond)
//	w.Set(s, 25*time.Second)       // when the clock shows 25 s
//	w.Advance(now)                 // the clock shows now
//	for s := w.Due(); s != nil; s = w.Due() { ... }
//	at, ok := w.Next()             // sleep until then
package wheel
