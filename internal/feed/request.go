package feed

import (
	"time"

	"github.com/finch-go/finch/broker"
)

// A Request is what a Feed wants its driver to ask the broker. Each is answered
// once, by the Feed's method of the same name, with the request's Serial; an
// answer that nobody waits for any more is ignored.
type Request struct {
	Kind   Kind
	Serial uint32
	Range  broker.Range  // of AskRead
	After  time.Duration // ask no sooner than that
}

// A Kind says what is asked.
type Kind uint8

const (
	// AskOpen wants broker.Broker.Open; answered by Opened.
	AskOpen Kind = iota
	// AskHead wants broker.Broker.Heads since the zero mark; answered by Headed.
	AskHead
	// AskRead wants broker.Broker.Read; answered by Page.
	AskRead
)

const (
	// backoffFirst and backoffMost are the delays before the second try and
	// before the late ones. A store's election takes seconds: asking each room
	// more often would only load what recovers.
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 2 * time.Second
	// patience is how often an answer is asked again that contradicts what the
	// feed knows, before it is believed.
	patience = 4
	// readTries is how often a member's missed messages are read, about two
	// seconds, before it is restarted.
	readTries = 6
	// admitTries is how often a member is judged anew because the feed itself was
	// in doubt.
	admitTries = 3
)

// backoff is the delay before the try that follows n failed ones.
func backoff(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(backoffFirst<<min(n-1, 10), backoffMost)
}
