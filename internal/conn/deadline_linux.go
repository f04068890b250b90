package conn

import "time"

// A socket has one place on the wheel for all its deadlines: it is put where
// the first of them may be, and when that time comes they are all looked at.

// deadlines calls visit with what each deadline that now runs has left, and
// what to do when nothing is; the latter runs on the poller without any lock.
// Called with mu held.
func (s *socket) deadlines(visit func(left time.Duration, act func())) {
	if s.blocked {
		visit(s.left(s.stuck, s.cfg.WriteWait), func() { s.lost("took no byte in time") })
	}
	switch {
	case s.lingering:
		visit(s.left(s.since, s.cfg.CloseWait), func() { s.lost("no answer in time") })
	case s.paused:
		visit(s.left(s.since, s.cfg.StallWait), s.tooSlow)
	default:
		s.liveness(visit)
		if s.partial {
			wait := s.cfg.partialWait(s.parser.Buffered())
			visit(s.left(s.begun, wait), s.unfinished)
		}
	}
}

// hear notes a sign of life. Called with mu held.
func (s *socket) hear(now uint32) {
	s.heard = now
	if s.pinged {
		s.pinged = false
		if s.fd >= 0 && s.cfg.Heartbeat < s.cfg.PongWait { // the next ping may be due before the answer was
			s.p.ensure(s, s.cfg.Heartbeat+wheelTick)
		}
	}
}

// liveness is the heartbeat.
func (s *socket) liveness(visit func(left time.Duration, act func())) {
	switch {
	case s.cfg.Heartbeat < 0:
	case s.pinged:
		visit(s.left(s.asked, s.cfg.PongWait), s.silent)
	default:
		visit(s.left(s.heard, s.cfg.Heartbeat), func() {
			s.mu.Lock()
			s.asked, s.pinged = s.p.clock(), true
			if s.fd >= 0 {
				s.p.ensure(s, s.nextDeadline())
			}
			s.mu.Unlock()
			s.ping()
		})
	}
}

// left answers how much of a wait is left; nothing or less if it is over.
func (s *socket) left(since uint32, wait time.Duration) time.Duration {
	// Both times are whole ticks, so one more must pass to be sure.
	return wait + wheelTick - time.Duration(int32(s.p.clock()-since))*wheelTick
}

// nextDeadline answers how long from now the first deadline is. Called with mu
// held.
func (s *socket) nextDeadline() time.Duration {
	next := never
	s.deadlines(func(left time.Duration, _ func()) { next = min(next, left) })
	return next
}

// expired is called by the poller when the socket's time on the wheel has
// come.
func (s *socket) expired() {
	s.mu.Lock()
	if s.fd < 0 || s.shutting {
		s.mu.Unlock()
		return
	}
	var act func()
	s.deadlines(func(left time.Duration, do func()) {
		if left <= 0 && act == nil {
			act = do
		}
	})
	if act == nil {
		s.p.ensure(s, s.nextDeadline())
	}
	s.mu.Unlock()
	if act != nil {
		act()
	}
}

// silent ends a connection whose peer did not answer a ping.
func (s *socket) silent() {
	s.Close(codeNoHeartbeat, "no sign of life")
	s.mu.Lock()
	s.linger()
	s.mu.Unlock()
}

// tooSlow ends a connection whose handlers do not keep up.
func (s *socket) tooSlow() { s.Close(codeTryAgain, "the server does not keep up") }
