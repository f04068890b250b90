package finch

import (
	"fmt"
	"net/http"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/internal/hub"
)

// Compression lets clients and server compress messages (permessage-deflate,
// RFC 7692) if the client offers it; browsers do by themselves. It is worth its
// processor time where traffic costs more than that: text shrinks to between a
// half and a tenth, for about as much work as three or four small writes.
//
// Each message is compressed by itself, in both directions: an idle socket
// holds no window, and what is sent to a room is compressed once for all its
// members with the same window. What a client sends is inflated by the goroutine
// that runs its handlers; [Limits].MessageBytes and BytesPerSecond count what
// comes out.
//
// Whoever can see how long encrypted messages are can guess a secret that
// stands in the same message as text of their own choosing. Leave compression
// off where messages hold both.
type Compression struct {
	// Level is how hard to try, from 1, the fastest, to 9, the smallest; higher
	// ones gain a few percent. Zero: 1.
	Level int
	// Threshold is the size in bytes from which a message is compressed; any
	// client may still compress its own below it. Zero: 512, because less saves
	// no packet and little of one. Negative: compress whatever gets smaller.
	Threshold int
}

const (
	defaultLevel     = 1
	defaultThreshold = 512
)

// compression is what the connections of a gate share; nil if it is off.
type compression struct {
	deflater  *frame.Deflater
	threshold int
	renderer  func(hub.Rendition, []byte) []byte // render
}

func newCompression(o *Compression) *compression {
	if o == nil {
		return nil
	}
	if o.Level < 0 || o.Level > 9 {
		panic(fmt.Sprintf("finch: Compression.Level is %d; it goes from 1, the fastest, to 9, the smallest, and 0 is the default", o.Level))
	}
	c := &compression{
		deflater:  frame.NewDeflater(orDefault(o.Level, defaultLevel)),
		threshold: orDefault(o.Threshold, defaultThreshold),
	}
	c.renderer = c.render
	return c
}

// compress sets compression up; it panics if o asks for what there is not.
func (g *gate) compress(o *Compression) {
	if g.compression = newCompression(o); g.compression != nil {
		config := *g.config
		config.Frame.Deflate = true
		g.compressed = &config
	}
}

// agree answers the extensions that a client offers: with the header of the
// answer, empty if there is nothing to agree on, and the rendition of its
// frames: compressed for a window of so many bits, or 0 for plain.
func (c *compression) agree(r *http.Request) (extensions string, rendition hub.Rendition) {
	if c == nil {
		return "", 0
	}
	extensions, bits := frame.Accept(frame.ParseOffers(r.Header["Sec-Websocket-Extensions"]))
	return extensions, hub.Rendition(bits)
}

// render makes a compressed rendition of a plain frame, or nil if there is none
// that is smaller.
func (c *compression) render(r hub.Rendition, plain []byte) []byte {
	h, n, err := frame.ParseHeader(plain)
	if err != nil || n == 0 || int(h.Length) < c.threshold {
		return nil
	}
	return c.deflater.AppendFrame(nil, h.Opcode, plain[n:], int(r))
}

// rendered answers a plain frame in the rendition that its receiver wants.
func (c *compression) rendered(r hub.Rendition, plain []byte) []byte {
	if r == 0 {
		return plain
	}
	if b := c.render(r, plain); b != nil {
		return b
	}
	return plain
}

// message is a plain frame for the hub, which asks for other renditions as they are
// needed.
func (c *compression) message(plain []byte) hub.Message {
	if c == nil {
		return hub.Message{Frame: plain}
	}
	return hub.Message{Frame: plain, Render: c.renderer}
}
