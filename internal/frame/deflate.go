package frame

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

// syncTail ends the bytes of a flushed compressor and does not travel (RFC 7692
// section 7.2.1).
const syncTail = "\x00\x00\xff\xff"

// maxScratch is the largest buffer that goes back into a pool.
const maxScratch = 64 << 10

// A Deflater makes compressed messages, each by itself (no context takeover),
// for any number of connections. Any goroutine may call it. It holds what it
// works with only while it works, and a pool that the garbage collector
// empties.
type Deflater struct {
	level   int
	writers [MaxWindowBits + 1]sync.Pool // of *deflating, by the window's bits
}

// NewDeflater returns a Deflater that tries as hard as level says: 1 is the
// fastest, 9 the smallest. Any other level panics.
func NewDeflater(level int) *Deflater {
	if level < flate.BestSpeed || level > flate.BestCompression {
		panic(fmt.Sprintf("frame: compression level %d is not from 1 to 9", level))
	}
	return &Deflater{level: level}
}

// deflating is one compressor and what it has written.
type deflating struct {
	w   *flate.Writer
	out []byte
}

func (d *deflating) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// AppendFrame appends the payload of a Text or Binary message as one unmasked
// frame with RSV1 set (RFC 7692 section 7.2.1) and returns the result. It never
// refers further back than a window of 2^windowBits bytes, which must be 8 to
// 15; another window, or another opcode, panics. If compressing does not make
// the payload smaller, b is returned as it was: send the message as it is
// (section 6 leaves the choice open for each message).
func (d *Deflater) AppendFrame(b []byte, op Opcode, payload []byte, windowBits int) []byte {
	if op != Text && op != Binary || windowBits < MinWindowBits || windowBits > MaxWindowBits {
		panic(fmt.Sprintf("frame: cannot compress %v for a window of %d bits", op, windowBits))
	}
	// A message that fits into the window cannot refer past it, and needs no
	// compressor of its own. The one for small windows knows a single level.
	if len(payload) <= 1<<windowBits {
		windowBits = MaxWindowBits
	}
	c := d.writer(windowBits)
	c.w.Write(payload)
	c.w.Flush()
	if small, ok := bytes.CutSuffix(c.out, []byte(syncTail)); ok && len(small) < len(payload) {
		b = slices.Grow(b, MaxHeader+len(small))
		b = appendFixed(b, finBit|rsv1Bit|byte(op), 0, uint64(len(small)))
		b = append(b, small...)
	}
	if cap(c.out) > maxScratch {
		c.out = nil
	}
	d.writers[windowBits].Put(c)
	return b
}

// writer takes a compressor out of its pool.
func (d *Deflater) writer(windowBits int) *deflating {
	c, ok := d.writers[windowBits].Get().(*deflating)
	if ok {
		c.out = c.out[:0]
		c.w.Reset(c)
		return c
	}
	c = new(deflating)
	var err error
	if windowBits == MaxWindowBits {
		c.w, err = flate.NewWriter(c, d.level)
	} else {
		c.w, err = flate.NewWriterWindow(c, 1<<windowBits)
	}
	if err != nil {
		panic(err) // level and window are in range
	}
	return c
}
