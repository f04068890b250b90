package bench

import (
	"fmt"
	"io"
	"time"
)

// progress tells a person each second that the run lives.
type progress struct {
	out  io.Writer // nil: nobody listens
	last int64
	had  uint64
}

func (p *progress) tick(r *run, now int64) {
	if p.out == nil || now-p.last < int64(time.Second) {
		return
	}
	rate := float64(r.result.Received-p.had) / time.Duration(now-p.last).Seconds()
	p.last, p.had = now, r.result.Received
	line := fmt.Sprintf("%4.0f s  %s  %s of %s sockets open", time.Duration(now).Seconds(), r.plan.Scenario,
		number(uint64(r.loop.open-r.loop.opening)), number(uint64(r.plan.Sockets)))
	if r.work != nil {
		line += fmt.Sprintf("  %s messages/s", number(uint64(rate)))
	}
	if r.latency.Count() > 0 {
		line += "  p99 " + short(r.latency.At(99))
	}
	f := &r.result.Faults
	if n := f.Duplicated + f.Reordered + f.Corrupt + f.Unexpected; n > 0 {
		line += fmt.Sprintf("  %s faults", number(n))
	}
	if r.result.Errors > 0 {
		line += fmt.Sprintf("  %s errors", number(r.result.Errors))
	}
	fmt.Fprintln(p.out, line)
}
