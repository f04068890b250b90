package bench

import (
	"bytes"
	"math/rand/v2"
)

// A stamp is what each payload begins with: who sent it, which one it is, and
// when it was due. It is made of letters and digits, so that it passes through
// JSON and any other envelope as it is.
type stamp struct {
	sender int    // index of the socket that sent it
	slot   int    // which of the messages in flight it is
	seq    uint32 // counts the messages of one sender, from 0
	due    int64  // when it was meant to be sent, in ns since the run began
}

// The fields of a stamp are fixed in width, in lower-case hex.
const (
	markLen   = 6
	senderLen = 5
	slotLen   = 3
	seqLen    = 8
	dueLen    = 12 // 2^48 ns are 78 hours

	stampLen = markLen + senderLen + slotLen + seqLen + dueLen

	maxSenders = 1 << (4 * senderLen)
	maxSlots   = 1 << (4 * slotLen)
)

// MinSize is the smallest payload: a stamp and nothing else.
const MinSize = stampLen

// A stamper writes and finds the payloads of one run. The mark is drawn for
// each run, so that two runs against one server do not take each other's
// messages for their own.
type stamper struct {
	mark [markLen]byte
	rest []byte // what follows the stamp in every payload
}

// padding repeats in payloads; it needs no escape in JSON.
const padding = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ."

func newStamper(size int) *stamper {
	s := new(stamper)
	mark := append(make([]byte, 0, markLen), "~F"...)
	copy(s.mark[:], appendHex(mark, uint64(rand.Uint32()), markLen-2))
	// Letters in no order, so that compression has something to do.
	s.rest = make([]byte, size-stampLen)
	draw := rand.New(rand.NewPCG(1, 2))
	for i := range s.rest {
		s.rest[i] = padding[draw.IntN(len(padding))]
	}
	return s
}

// append appends a whole payload.
func (s *stamper) append(b []byte, st stamp) []byte {
	b = append(b, s.mark[:]...)
	b = appendHex(b, uint64(st.sender), senderLen)
	b = appendHex(b, uint64(st.slot), slotLen)
	b = appendHex(b, uint64(st.seq), seqLen)
	b = appendHex(b, uint64(st.due), dueLen)
	return append(b, s.rest...)
}

// next finds the first payload in b and returns its stamp, whether the payload
// is whole, and what follows it. found is false if there is none.
func (s *stamper) next(b []byte) (st stamp, whole bool, after []byte, found bool) {
	i := bytes.Index(b, s.mark[:])
	if i < 0 || len(b)-i < stampLen {
		return stamp{}, false, nil, false
	}
	b = b[i+markLen:]
	var fields [4]uint64
	for i, width := range [...]int{senderLen, slotLen, seqLen, dueLen} {
		v, ok := parseHex(b[:width])
		if !ok {
			return stamp{}, false, nil, false
		}
		fields[i], b = v, b[width:]
	}
	st = stamp{int(fields[0]), int(fields[1]), uint32(fields[2]), int64(fields[3])}
	whole = bytes.HasPrefix(b, s.rest)
	if whole {
		b = b[len(s.rest):]
	}
	return st, whole, b, true
}

const hexDigits = "0123456789abcdef"

func appendHex(b []byte, v uint64, width int) []byte {
	for shift := 4 * (width - 1); shift >= 0; shift -= 4 {
		b = append(b, hexDigits[v>>shift&15])
	}
	return b
}

func parseHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}
