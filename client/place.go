package client

import "github.com/finch-go/finch/broker"

// A place is how far the client has got in a room, at the user's address or at
// that of everyone. Its fields are guarded by the client's mu.
type place struct {
	// text is the position as the server wrote it; empty if there is none. It
	// moves before anything is done with the message that moved it, so that
	// nothing is done twice.
	text string
	at   broker.Position

	// asked: the server was asked to let the client in, and has not said yet.
	// Recorded messages that come meanwhile are dropped: they come again, in
	// order, behind the answer.
	asked bool
}

// adopt moves to a position that the server gave; false if it is none.
func (p *place) adopt(text string) bool {
	at, err := broker.ParsePosition(text)
	if err != nil || at.IsZero() {
		return false
	}
	p.text, p.at = text, at
	return true
}

// begin is adopt where what was before does not count. Where nothing was published
// yet there is no position.
func (p *place) begin(text string) {
	p.text = ""
	p.adopt(text)
}

// advance is adopt, but never goes back within an epoch.
func (p *place) advance(text string) bool {
	return p.isNew(text) && p.adopt(text)
}

// isNew reports whether a position lies beyond this one. Positions of another
// epoch cannot be compared: the server has said what it means by them.
func (p *place) isNew(text string) bool {
	if p.text == "" {
		return true
	}
	at, err := broker.ParsePosition(text)
	return err == nil && (at.Epoch != p.at.Epoch || at.Offset > p.at.Offset)
}

// takes reports whether a recorded message at this position is to be handled,
// and moves there. A text that is no position moves nothing, but the message is
// one.
func (p *place) takes(text string) bool {
	if p.asked {
		return false
	}
	if _, err := broker.ParsePosition(text); err != nil {
		return true
	}
	return p.advance(text)
}
