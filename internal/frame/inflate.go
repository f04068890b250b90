package frame

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
)

// endTail goes behind a compressed payload before it is inflated. The first
// half is what its sender took off (RFC 7692 section 7.2.2); the second is an
// empty last block, so that a whole message ends and a truncated one does not.
const endTail = syncTail + "\x01" + syncTail

// maxWindow is the furthest that DEFLATE can refer back (RFC 1951 section 2).
const maxWindow = 1 << MaxWindowBits

// Inflate returns what a message with RSV1 set held, as new memory that belongs
// to the caller; payload is not changed. op is Text or Binary. limit bounds the
// result in bytes, and inflating stops where it is passed; zero or negative is
// no limit. Any goroutine may call it.
//
// Errors are an *Error: 1009 beyond the limit, 1007 if a Text is not UTF-8 or
// if payload is not DEFLATE. RFC 7692 gives broken compression no code of its
// own; the frames were well formed and what the message held did not match the
// kind that it claimed, which is what 1007 says (RFC 6455 section 7.4.1).
func Inflate(op Opcode, payload []byte, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = math.MaxInt - 1
	}
	// An empty message travels as one byte (RFC 7692 section 7.2.3.6). Who takes
	// that one off, too, says the same.
	out := []byte{}
	if len(payload) > 0 {
		in := inflaters.Get().(*inflating)
		b, bad := in.inflate(payload, limit)
		in.release()
		if bad != nil {
			return nil, bad
		}
		out = b
	}
	if op == Text && !utf8.Valid(out) {
		return nil, errText
	}
	return out, nil
}

var inflaters = sync.Pool{New: func() any {
	in := new(inflating)
	in.r = flate.NewReader(&in.src)
	return in
}}

// inflating is one decompressor with its buffers.
type inflating struct {
	r      io.ReadCloser
	src    bytes.Reader // of in
	in     []byte
	out    []byte
	copied int // bytes of history given to r so far, for one message
}

func (n *inflating) release() {
	n.src.Reset(nil)
	if cap(n.in) > maxScratch {
		n.in = nil
	}
	if cap(n.out) > maxScratch {
		n.out = nil
	}
	inflaters.Put(n)
}

// inflate returns a copy of what payload holds.
func (n *inflating) inflate(payload []byte, limit int) ([]byte, *Error) {
	n.in = append(append(n.in[:0], payload...), endTail...)
	n.src.Reset(n.in)
	n.copied = 0
	n.restart(nil)
	out := n.out[:0]
	for {
		// One byte more than the limit is room enough to see it passed.
		if len(out) == cap(out) {
			out = slices.Grow(out, min(max(cap(out), 4*len(payload), minGrow), limit+1-len(out)))
		}
		k, err := n.r.Read(out[len(out):min(cap(out), limit+1)])
		out = out[:len(out)+k]
		switch {
		case len(out) > limit:
			return nil, errTooBig
		case err == nil:
		case !errors.Is(err, io.EOF):
			return nil, errDeflate
		// A last block ends here. If it is the one in endTail, that is all. If it
		// is the payload's own and nothing follows, its sender forgot the byte
		// that RFC 7692 section 7.2.3.4 asks for, but there is no doubt.
		case n.src.Len() == 0, n.src.Len() == len(endTail):
			n.out = out
			if cap(out) > maxScratch {
				return out, nil // released without it
			}
			return bytes.Clone(out), nil
		default:
			n.restart(out)
		}
	}
}

// restart begins with the next block behind one that was marked as the last
// (RFC 7692 section 7.2.1 allows many of these in a message). They share one
// window, but whoever marks each of thousands of tiny blocks makes us copy it
// each time: beyond what honest senders need, later blocks do without.
func (n *inflating) restart(history []byte) {
	if len(history) > maxWindow {
		history = history[len(history)-maxWindow:]
	}
	if n.copied+len(history) > 32*(len(n.in)+maxWindow) {
		history = nil
	}
	n.copied += len(history)
	n.r.(flate.Resetter).Reset(&n.src, history)
}
