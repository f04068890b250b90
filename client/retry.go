package client

import (
	"time"

	"github.com/finch-go/finch/protocol"
)

// retry decides, after a connection has ended, whether to connect again and
// when. It knows no clock, no network and no source of randomness, so that a
// client in another language can mirror it line by line.
//
// The delay is random between 0 and a bound, from the first try on: of ten
// thousand clients that lost a server at one moment, no two hundred come back in
// one tenth of a second. The bound begins at first, doubles with each failure up
// to most, and begins anew once a connection has held for steady.
type retry struct {
	first, most, steady time.Duration

	failures int
	renewed  bool // a new token was asked for, and nothing was open since
}

// ending is how a connection ended, or the try to open one.
type ending struct {
	code   int           // the server's close code; 1006 if it sent none
	opened bool          // finch.hello was answered
	held   time.Duration // for how long it was open

	drained bool          // finch.drain gave the moment to come back
	slot    time.Duration // how long it is until then; not more than 0 if it has come
}

// verdict is what follows from an ending.
type verdict struct {
	stop     bool
	newToken bool
	delay    time.Duration
}

// after judges an ending. canRenew tells whether there is a way to a new token,
// and random is uniform in [0, 1).
func (r *retry) after(e ending, canRenew bool, random float64) verdict {
	if e.opened {
		r.renewed = false
	}
	switch protocol.ActionOf(e.code) {
	case protocol.ActionStop:
		return verdict{stop: true}
	case protocol.ActionNewToken:
		if !canRenew || r.renewed {
			return verdict{stop: true}
		}
		r.renewed = true
		if !e.opened { // somebody waits, and a second time there is none
			return verdict{newToken: true}
		}
		return verdict{newToken: true, delay: r.jitter(e, random)}
	}
	if e.drained { // the server spreads its clients better than chance does
		return verdict{delay: max(e.slot, 0)}
	}
	return verdict{delay: r.jitter(e, random)}
}

// jitter is the delay of a failure, and counts it.
func (r *retry) jitter(e ending, random float64) time.Duration {
	if e.opened && e.held >= r.steady {
		r.failures = 0
	}
	bound := r.first
	for range r.failures {
		if bound >= r.most {
			break
		}
		bound *= 2
	}
	bound = min(bound, r.most)
	r.failures++
	return time.Duration(random * float64(bound))
}
