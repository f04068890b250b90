package bench

// What the tests see of the parts.

type (
	Book  = book
	Stamp struct {
		Sender, Slot int
		Seq          uint32
		Due          int64
	}
	Stamper struct{ s *stamper }
)

const (
	InOrder = inOrder
	TooLate = tooLate
	Again   = again
)

func (b *book) Take(seq uint32) verdict { return b.take(seq) }
func (b *book) Has(seq uint32) bool     { return b.has(seq) }
func (b *book) Lost(sent uint32) uint64 { return b.lost(sent) }

func NewStamper(size int) Stamper { return Stamper{newStamper(size)} }

func (s Stamper) Append(b []byte, st Stamp) []byte {
	return s.s.append(b, stamp{st.Sender, st.Slot, st.Seq, st.Due})
}

func (s Stamper) Next(b []byte) (st Stamp, whole bool, after []byte, found bool) {
	in, whole, after, found := s.s.next(b)
	return Stamp{in.sender, in.slot, in.seq, in.due}, whole, after, found
}

var ParseAnswer = parseAnswer
