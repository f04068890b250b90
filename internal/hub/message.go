package hub

// Rendition is a wire form: what a frame looks like to members of one kind.
// Zero is the plain form; the others are made from it when a member first
// needs them, once for all its kin.
type Rendition uint8

// Renditions is how many there may be.
const Renditions = 16

// Message is one encoded message.
type Message struct {
	// Frame is the plain frame. Nobody may change it after it was sent.
	Frame []byte
	// Render makes another rendition of Frame; nil, or a nil result: the
	// plain one will do. It may be called by any goroutine.
	Render func(Rendition, []byte) []byte
}

func (m *Message) in(r Rendition) []byte {
	if r == 0 || m.Render == nil {
		return m.Frame
	}
	if b := m.Render(r, m.Frame); b != nil {
		return b
	}
	return m.Frame
}
