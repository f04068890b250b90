package story

import "time"

// Restarted tells that a server of the store has been started which knows the keys
// of messages by the messages that it has: JetStream reads them from its disk, where
// those that a room keeps no longer are not.
func (s *Story) Restarted(at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts = append(s.restarts, at)
}

// forgotten tells whether the store could not know any more that a key was used:
// its message had left the room when it came again, and a server had been started
// in between.
func (l *line) forgotten(first, again *point) bool {
	if first.epoch != again.epoch {
		return false
	}
	if again.offset < first.offset {
		first, again = again, first
	}
	started := false
	for _, at := range l.story.restarts {
		started = started || at > first.known && at <= again.known
	}
	between := 0
	for _, p := range l.lines[first.epoch] {
		if p.offset > first.offset && p.offset < again.offset {
			between++
		}
	}
	return started && between >= l.story.depth(l.name)
}
