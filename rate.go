package finch

import (
	"sync"
	"time"
)

// burstWindow is how much of a rate may be spent at once: a client that was
// silent for so long may send as much as it could have sent in that time.
const burstWindow = 5 * time.Second

// pace bounds a rate with one number (the generic cell rate algorithm, ITU-T
// I.371): when the stream would be on time again if it had kept to the rate.
type pace int64

// take spends cost units at rate units a second; false if that is too fast.
func (p *pace) take(now time.Time, cost, rate int) bool {
	t := now.UnixNano()
	due := max(int64(*p), t) + int64(cost)*int64(time.Second)/int64(rate)
	if due-t > int64(burstWindow) {
		return false
	}
	*p = pace(due)
	return true
}

// speed is what a socket remembers of how fast its client sends. Guarded by
// Socket.mu.
type speed struct {
	messages pace
	bytes    pace
	excess   int32 // messages refused beyond those taken since
	unasked  allowance
}

// verdict on one message.
type verdict uint8

const (
	inTime     verdict = iota
	tooFast            // refuse this one
	farTooFast         // close
)

// judge takes one message of n bytes into account.
func (v *speed) judge(now time.Time, n int, l *Limits) verdict {
	messages, bytes := l.messagesPerSecond(), l.bytesPerSecond()
	ok := messages < 0 || v.messages.take(now, 1, messages)
	ok = ok && (bytes < 0 || v.bytes.take(now, n, bytes))
	if ok {
		v.excess = max(0, v.excess-1)
		return inTime
	}
	v.excess++
	if v.excess > patience {
		return farTooFast
	}
	return tooFast
}

// patience is how many messages are refused before the socket is closed.
const patience = 1000

// judge takes one message of the socket's client into account.
func (s *Socket) judge(n int) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.speed.judge(time.Now(), n, &s.manager.limits)
}

// mayExplain tells whether one more finch.error may be sent unasked.
func (s *Socket) mayExplain() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.speed.unasked.take(time.Now())
}

// allowance lets a few things through at once and then one a second.
type allowance struct {
	spent int32
	since int64 // Unix seconds
}

const allowanceBurst = 8

// hints is an allowance for what a manager says in its log.
type hints struct {
	mu sync.Mutex
	allowance
}

func (h *hints) take(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.allowance.take(now)
}

func (a *allowance) take(now time.Time) bool {
	if back := now.Unix() - a.since; back > 0 {
		a.spent = int32(max(0, int64(a.spent)-back))
		a.since = now.Unix()
	}
	if a.spent >= allowanceBurst {
		return false
	}
	a.spent++
	return true
}
