package bench

import (
	"errors"
	"fmt"
	"time"
)

// Bounds are what a result must keep for a run to count as good. No fault of
// messages is ever allowed.
type Bounds struct {
	Errors uint64        // sockets that did not open or were dropped
	P99    time.Duration // of the latency (in a connect storm: of the handshake); zero: any
}

// Check returns nil if the result keeps the bounds, or all that is wrong.
func (b Bounds) Check(r *Result) error {
	var wrong []error
	f := &r.Faults
	for _, fault := range []struct {
		n    uint64
		name string
	}{{f.Lost, "lost"}, {f.Duplicated, "duplicated"}, {f.Reordered, "reordered"}, {f.Corrupt, "corrupt"}, {f.Unexpected, "unexpected"}} {
		if fault.n > 0 {
			wrong = append(wrong, fmt.Errorf("%s messages %s; %s arrived", number(fault.n), fault.name, number(r.Received)))
		}
	}
	if r.Errors > b.Errors {
		wrong = append(wrong, fmt.Errorf("%s sockets had errors, of which %s are allowed", number(r.Errors), number(b.Errors)))
	}
	judged, name := &r.Latency, "of messages"
	if r.Scenario == Connect {
		judged, name = &r.Handshake, "of handshakes"
	}
	if b.P99 > 0 && judged.P99 > b.P99 {
		wrong = append(wrong, fmt.Errorf("the latency %s is %s at p99, of which %s is allowed", name, short(judged.P99), short(b.P99)))
	}
	switch r.Scenario {
	case Echo, Fanout, Slow:
		if r.Received == 0 {
			wrong = append(wrong, errors.New("no message came back: does the address echo, and is --protocol right?"))
		}
	}
	return errors.Join(wrong...)
}
