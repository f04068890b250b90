package frame_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/finch-go/finch/internal/frame"
)

// A told is what came out of a stream: events, then perhaps the end.
type told struct {
	events []string
	code   int  // close code of the error; 0 without one
	open   bool // in the middle of a frame or message
}

func (m told) String() string {
	return fmt.Sprintf("%s; code %d; open %v", strings.Join(m.events, ", "), m.code, m.open)
}

func show(ev frame.Event) string {
	switch {
	case ev.Opcode == frame.Close:
		return fmt.Sprintf("close %d %q (%q)", ev.Code, ev.Reason, ev.Payload)
	case ev.Compressed:
		return fmt.Sprintf("compressed %v %q", ev.Opcode, ev.Payload)
	}
	return fmt.Sprintf("%v %q", ev.Opcode, ev.Payload)
}

// model says what a stream means, from RFC 6455 section 5 read in the simplest
// way: the whole stream is at hand and nothing needs to be quick.
func model(c frame.Config, b []byte) (m told) {
	var (
		message    byte // opcode of the fragmented message
		data       []byte
		compressed bool
	)
	for {
		m.open = message != 0 || len(b) > 0
		if len(b) < 2 {
			return m
		}
		fin, rsv, opcode := b[0]>>7 == 1, b[0]>>4&7, b[0]&15
		masked, length := b[1]>>7 == 1, uint64(b[1]&127)
		control := opcode >= 8
		switch {
		case opcode > 2 && opcode < 8, opcode > 10, // 5.2: reserved opcode
			rsv != 0 && (rsv != 4 || !c.Deflate || opcode != 1 && opcode != 2), // 5.2: reserved bits
			masked == c.Client,                      // 5.1: masking
			control && (!fin || length > 125),       // 5.5: whole and short
			opcode == 0 && message == 0,             // 5.4: nothing to continue
			!control && opcode != 0 && message != 0: // 5.4: interleaved message
			return told{m.events, 1002, false}
		}
		head, wide := 2, map[uint64]int{126: 2, 127: 8}[length]
		if masked {
			head += 4
		}
		head += wide
		if len(b) < head {
			return m
		}
		if wide > 0 {
			length = 0
			for _, digit := range b[2 : 2+wide] {
				length = length<<8 | uint64(digit)
			}
			if length < 126 || wide == 8 && length < 1<<16 || length >= 1<<63 { // 5.2: shortest form
				return told{m.events, 1002, false}
			}
		}
		limit := math.MaxInt
		if c.MaxMessage > 0 {
			limit = c.MaxMessage
		}
		if !control && length > uint64(limit-len(data)) {
			return told{m.events, 1009, false}
		}
		whole := uint64(len(b)-head) >= length
		payload := append([]byte(nil), b[head:]...)
		if whole {
			payload = payload[:length]
		}
		if masked {
			for i := range payload {
				payload[i] ^= b[head-4+i%4]
			}
		}
		if !control {
			if opcode != 0 {
				message, compressed = opcode, rsv == 4
			}
			data = append(data, payload...)
			if message == 1 && !compressed {
				if decided(data) >= 0 || whole && fin && !utf8.Valid(data) { // 8.1
					return told{m.events, 1007, false}
				}
			}
		}
		if !whole {
			return m
		}
		b = b[head+int(length):]
		switch {
		case opcode == 8:
			ev := frame.Event{Opcode: frame.Close, Payload: payload, Code: 1005}
			if len(payload) == 1 {
				return told{m.events, 1002, false}
			}
			if len(payload) > 1 {
				ev.Code, ev.Reason = int(payload[0])<<8|int(payload[1]), string(payload[2:])
				if !frame.ValidCloseCode(ev.Code) {
					return told{m.events, 1002, false}
				}
				if !utf8.ValidString(ev.Reason) {
					return told{m.events, 1007, false}
				}
			}
			return told{append(m.events, show(ev)), 0, false}
		case control:
			m.events = append(m.events, show(frame.Event{Opcode: frame.Opcode(opcode), Payload: payload}))
		case fin:
			m.events = append(m.events, show(frame.Event{Opcode: frame.Opcode(message), Payload: data, Compressed: compressed}))
			message, data = 0, nil
		}
	}
}

// feed gives a parser the stream in pieces and checks, beside what comes out,
// what must hold at each step.
func feed(t *testing.T, c *frame.Config, stream, sizes []byte) (m told) {
	t.Helper()
	var p frame.Parser
	type kept struct {
		payload []byte
		shown   string
	}
	var owned []kept
	since := 0 // bytes since the parser was last at rest
	for piece := range pieces(stream, sizes) {
		piece = append(make([]byte, 0, len(piece)+8), piece...)
		beyond := piece[len(piece):cap(piece)]
		for rest := piece; ; {
			ev, n, err := p.Next(c, rest)
			if err != nil {
				var e *frame.Error
				if !errors.As(err, &e) || n != 0 || ev.Opcode != 0 {
					t.Fatalf("error %v (%T) with %d bytes and event %v", err, err, n, ev.Opcode)
				}
				if _, n, again := p.Next(c, []byte{0x81, 0}); again != err || n != 0 || p.Partial() || p.Buffered() != 0 {
					t.Fatalf("after %v: %d bytes, error %v, %d held", err, n, again, p.Buffered())
				}
				m.code = e.Code
				return m
			}
			if n < 0 || n > len(rest) || n < len(rest) && ev.Opcode == 0 {
				t.Fatalf("%d of %d bytes consumed without an event", n, len(rest))
			}
			since += n
			if held := p.Buffered(); held > 2*since+1024 {
				t.Fatalf("%d bytes held after %d came", held, since)
			}
			if !p.Partial() {
				since = 0
				if held := p.Buffered(); held != 0 {
					t.Fatalf("%d bytes held at rest", held)
				}
			}
			if ev.Opcode != 0 {
				m.events = append(m.events, show(ev))
				if ev.Owned {
					owned = append(owned, kept{ev.Payload, string(ev.Payload)})
				} else if cap(ev.Payload) > len(ev.Payload) {
					t.Fatalf("append to a borrowed payload writes into the buffer")
				}
			}
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
		for _, c := range beyond {
			if c != 0 {
				t.Fatal("written beyond the bytes given")
			}
		}
		// The buffer is used again: what was not owned is gone.
		for i := range piece {
			piece[i] = 0xEE
		}
	}
	for _, k := range owned {
		if string(k.payload) != k.shown {
			t.Fatalf("an owned payload changed from %q to %q", k.shown, k.payload)
		}
	}
	m.open = p.Partial()
	return m
}

// everySplit checks that a stream means want in one piece, byte by byte, and cut
// in two anywhere.
func everySplit(t *testing.T, c *frame.Config, stream []byte, want told) {
	t.Helper()
	check := func(how string, sizes []byte) {
		t.Helper()
		if got := feed(t, c, stream, sizes); got.String() != want.String() {
			t.Errorf("%s: got %v\nwant %v", how, got, want)
		}
	}
	check("in one piece", nil)
	check("byte by byte", []byte{1})
	check("in threes", []byte{3})
	cuts := min(len(stream), 256)
	if len(stream) > 1<<10 {
		cuts = 16 // beyond the header
	}
	for cut := 1; cut < cuts; cut++ {
		check(fmt.Sprintf("cut at %d", cut), []byte{byte(cut), 255, 255, 255, 255, 255})
	}
}

func FuzzParser(f *testing.F) {
	for _, row := range rules {
		for _, client := range []bool{false, true} {
			stream := row.stream(client)
			if len(stream) > 1<<10 {
				continue
			}
			f.Add(stream, []byte{1, 7, 0, 2}, client, row.config.Deflate, uint16(row.config.MaxMessage))
		}
	}
	f.Fuzz(func(t *testing.T, stream, sizes []byte, client, deflate bool, most uint16) {
		if len(stream) > 4<<10 {
			return // the model is slow, and a longer stream no other
		}
		c := frame.Config{Client: client, Deflate: deflate, MaxMessage: int(most)}
		want := model(c, stream)
		for _, sizes := range [][]byte{nil, {1}, sizes} {
			if got := feed(t, &c, stream, sizes); got.String() != want.String() {
				t.Errorf("sizes %v: got %v\nwant %v", sizes, got, want)
			}
		}
	})
}
