package hub

// Rendition is a wire form: what a frame looks like to members of one kind.
// Zero is the plain form; the others are made from it when a member first
// needs them, once for all its kin.
type Rendition uint8

// Renditions is how many there may be.
const Renditions = 16

func (m *Message) in(r Rendition) []byte {
	if r == 0 || m.Render == nil {
		return m.Frame
	}
	if b := m.Render(r, m.Frame); b != nil {
		return b
	}
	return m.Frame
}
