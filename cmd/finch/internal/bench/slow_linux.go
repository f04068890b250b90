package bench

import (
	"fmt"
	"time"
)

// slowQuiet is how long nothing comes before a socket counts as kept.
const slowQuiet = 500 * time.Millisecond

// hearSlow lets the sockets that did not read do so, and counts what became of
// them: closed with which code, cut off, or still there.
func (r *run) hearSlow() error {
	if r.plan.SlowSockets == 0 {
		return nil
	}
	r.result.SlowClosed = map[string]int{}
	var slow []*socket
	for _, s := range r.loop.sockets {
		if s.slow {
			slow = append(slow, s)
			r.loop.mute(s, false)
		}
	}
	// Whoever is still connected when nothing has come for a while stays.
	begin := r.loop.now()
	quiet, end := begin+int64(slowQuiet), begin+int64(r.plan.Timeout)
	err := r.until(func() bool {
		open := 0
		for _, s := range slow {
			if s.live() {
				open++
			}
		}
		return open == 0 || r.loop.now() > max(quiet, r.loop.readAt+int64(slowQuiet))
	}, end)
	if err != nil {
		return err
	}
	for _, s := range slow {
		switch {
		case s.live():
			r.result.SlowClosed["kept"]++
		case s.code != 0:
			r.result.SlowClosed[fmt.Sprintf("closed with %d", s.code)]++
		default:
			r.result.SlowClosed["cut off"]++
		}
	}
	return nil
}
