package hub

import "github.com/finch-go/finch/broker"

// Message is one encoded message.
type Message struct {
	// Frame is the plain frame. Nobody may change it after it was sent.
	Frame []byte
	// Render makes another rendition of Frame; nil, or a nil result: the
	// plain one will do. It may be called by any goroutine.
	Render func(Rendition, []byte) []byte
	// Step is where a recorded message stands; nil: the message is ephemeral.
	// Nobody may change it after the message was sent.
	Step *Step
	// Instead is the plain frame that the member gets which the message leaves
	// out, in the message's place; nil: it gets nothing. Nobody may change it.
	Instead []byte
	// Key names what the message is the news of: under policy [Latest] a
	// newer one with the same key at the same address replaces it. Empty: it
	// is never replaced.
	Key string
}

// Step is a recorded message's step along its address: whoever stood at Before
// stands at At once it has the message.
type Step struct{ Before, At broker.Position }
