package finch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A frameRow is what a client sends behind its handshake, and what must come
// back.
type frameRow struct {
	section string // of RFC 6455
	what    string
	send    string
	want    []string // what comes back before the close frame
	code    int      // of the close frame, behind which the stream ends; 0: the connection lives
	bytes   bool     // binary messages: for the raw route only, as a manager takes envelopes there
}

func echoed(kind, payload string) string { return fmt.Sprintf("%s %q", kind, payload) }

var (
	bytes64k   = strings.Repeat("k", 64<<10)
	persian    = strings.Repeat("سلام فنچ ", 100)
	longReason = strings.Repeat("ش", 61)
)

var frameRows = []frameRow{
	{"5.1", "a frame that is not masked fails the connection", unmasked(textFrame, "a"), nil, 1002, false},
	{"5.1", "so does a ping", unmasked(pingFrame, ""), nil, 1002, false},
	{"5.1", "and a close frame", unmasked(endFrame, goodbye(1000, "")), nil, 1002, false},
	{"5.1", "what came before is answered first", whole(textFrame, "a") + whole(pingFrame, "p") + unmasked(textFrame, "b"), []string{`text "a"`, `pong "p"`}, 1002, false},
	{"5.1", "a mask of zeros is one", "\x81\x81\x00\x00\x00\x00a", []string{`text "a"`}, 0, false},

	{"5.2", "a reserved bit without an extension fails the connection", whole(textFrame|0x40, "a"), nil, 1002, false},
	{"5.2", "the others do too", whole(textFrame|0x20, "a"), nil, 1002, false},
	{"5.2", "on any frame", whole(pingFrame|0x10, "a"), nil, 1002, false},
	{"5.2", "an unknown opcode fails the connection", whole(0x83, "a"), nil, 1002, false},
	{"5.2", "an unknown control opcode does too", whole(0x8F, ""), nil, 1002, false},
	{"5.2", "a length that is not the shortest fails the connection", "\x81\xFE\x00\x01\x00\x00\x00\x00a", nil, 1002, false},
	{"5.2", "a length with its top bit set fails the connection", "\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00", nil, 1002, false},

	{"5.4", "fragments become one message", part(textFrame, "a") + part(contFrame, "b") + whole(contFrame, "c"), []string{`text "abc"`}, 0, false},
	{"5.4", "fragments may be empty", part(textFrame, "") + part(contFrame, "") + whole(contFrame, "a"), []string{`text "a"`}, 0, false},
	{"5.4", "bytes too", part(binaryFrame, "\xFF") + whole(contFrame, "\x00"), []string{`binary "\xff\x00"`}, 0, true},
	{"5.4", "a ping inside a fragmented message is answered", part(textFrame, "a") + whole(pingFrame, "p") + whole(contFrame, "b"), []string{`pong "p"`, `text "ab"`}, 0, false},
	{"5.4", "so are several", part(textFrame, "a") + whole(pingFrame, "p") + whole(pingFrame, "q") + part(contFrame, "") + whole(pingFrame, "r") + whole(contFrame, "b"), []string{`pong "p"`, `pong "q"`, `pong "r"`, `text "ab"`}, 0, false},
	{"5.4", "a pong inside is ignored", part(textFrame, "a") + whole(pongFrame, "p") + whole(contFrame, "b"), []string{`text "ab"`}, 0, false},
	{"5.4", "a close frame inside ends everything", part(textFrame, "a") + whole(endFrame, goodbye(1000, "")) + whole(contFrame, "b"), nil, 1000, false},
	{"5.4", "a second message inside fails the connection", part(textFrame, "a") + whole(textFrame, "b"), nil, 1002, false},
	{"5.4", "a continuation of nothing fails the connection", whole(contFrame, "a"), nil, 1002, false},
	{"5.4", "also behind a message", whole(textFrame, "a") + part(contFrame, "b"), []string{`text "a"`}, 1002, false},
	{"5.4", "a fragmented control frame fails the connection", part(pingFrame, "p"), nil, 1002, false},
	{"5.4", "a big message in many fragments, with pings", inFragments(bytes64k, 200), append(slices.Repeat([]string{`pong "between"`}, (len(bytes64k)-1)/200), echoed("text", bytes64k)), 0, false},

	{"5.5", "125 bytes in a ping", whole(pingFrame, bytes64k[:125]), []string{echoed("pong", bytes64k[:125])}, 0, false},
	{"5.5", "126 fail the connection", whole(pingFrame, bytes64k[:126]), nil, 1002, false},
	{"5.5.1", "a close frame is answered with its code", whole(endFrame, goodbye(1000, "")), nil, 1000, false},
	{"5.5.1", "one without a code with none", whole(endFrame, ""), nil, 1005, false},
	{"5.5.1", "behind it nothing counts", whole(endFrame, goodbye(1000, "")) + whole(textFrame, "late") + whole(pingFrame, "late") + unmasked(0x83, "late"), nil, 1000, false},
	{"5.5.1", "what came before it is answered first", whole(textFrame, "a") + whole(pingFrame, "p") + whole(endFrame, goodbye(4000, "")), []string{`text "a"`, `pong "p"`}, 4000, false},
	{"5.5.1", "one byte is no code", whole(endFrame, "\x03"), nil, 1002, false},
	{"5.5.1", "a reason of 123 bytes fits", whole(endFrame, goodbye(1000, longReason+"!")), nil, 1000, false},
	{"5.5.1", "a reason is UTF-8", whole(endFrame, goodbye(1000, "\xFF")), nil, 1007, false},
	{"5.5.2", "a ping is answered with its payload, whatever it is", whole(pingFrame, "\x00\xFF\x81"), []string{echoed("pong", "\x00\xFF\x81")}, 0, false},
	{"5.5.2", "an empty one too", whole(pingFrame, ""), []string{`pong ""`}, 0, false},
	{"5.5.2", "not behind a close frame", whole(endFrame, "") + whole(pingFrame, "p"), nil, 1005, false},
	{"5.5.3", "pings are answered in their order", whole(pingFrame, "1") + whole(pingFrame, "2") + whole(pingFrame, "3"), []string{`pong "1"`, `pong "2"`, `pong "3"`}, 0, false},
	{"5.5.3", "a pong that nobody asked for is not answered", whole(pongFrame, "p"), nil, 0, false},

	{"5.6", "text comes back as text", whole(textFrame, "سلام"), []string{`text "سلام"`}, 0, false},
	{"5.6", "bytes as bytes", whole(binaryFrame, "\xFF\xC0"), []string{echoed("binary", "\xFF\xC0")}, 0, true},
	{"5.6", "an empty message is one", whole(textFrame, "") + whole(textFrame, "a"), []string{`text ""`, `text "a"`}, 0, false},
	{"6.2", "messages keep their order", whole(textFrame, "a") + whole(textFrame, "b") + part(textFrame, "c") + whole(contFrame, "d") + whole(textFrame, "e"), []string{`text "a"`, `text "b"`, `text "cd"`, `text "e"`}, 0, false},
	{"6.2", "also of two kinds", whole(textFrame, "a") + whole(binaryFrame, "b") + whole(textFrame, "c"), []string{`text "a"`, `binary "b"`, `text "c"`}, 0, true},
	{"6.2", "126 bytes", whole(textFrame, bytes64k[:126]), []string{echoed("text", bytes64k[:126])}, 0, false},
	{"6.2", "65535 bytes", whole(textFrame, bytes64k[:65535]), []string{echoed("text", bytes64k[:65535])}, 0, false},
	{"6.2", "65536 bytes", whole(textFrame, bytes64k), []string{echoed("text", bytes64k)}, 0, false},
	{"6.2", "many messages in one piece", strings.Repeat(whole(textFrame, "again"), 100), slices.Repeat([]string{`text "again"`}, 100), 0, false},

	{"7.1.6", "the code of a library is echoed", whole(endFrame, goodbye(3000, "")), nil, 3000, false},
	{"7.1.6", "and the greatest of an application", whole(endFrame, goodbye(4999, "bye")), nil, 4999, false},
	{"7.4.1", "1005 must not be sent", whole(endFrame, goodbye(1005, "")), nil, 1002, false},
	{"7.4.1", "nor 1006", whole(endFrame, goodbye(1006, "")), nil, 1002, false},
	{"7.4.1", "nor 1015", whole(endFrame, goodbye(1015, "")), nil, 1002, false},
	{"7.4.2", "0 to 999 are not used", whole(endFrame, goodbye(999, "")), nil, 1002, false},
	{"7.4.2", "5000 is nobody's", whole(endFrame, goodbye(5000, "")), nil, 1002, false},

	{"8.1", "text that is not UTF-8 fails the connection", whole(textFrame, "a\xFFb"), nil, 1007, false},
	{"8.1", "before the rest of its frame has come", promise(textFrame, 1000, "a\xFF"), nil, 1007, false},
	{"8.1", "and before the rest of its message has", part(textFrame, "a\xED\xA0"), nil, 1007, false},
	{"8.1", "half a rune at the end fails it", whole(textFrame, "a\xD8"), nil, 1007, false},
	{"8.1", "a rune may be cut by fragments", part(textFrame, "\xD8") + part(contFrame, "\xB3") + whole(contFrame, "!"), []string{`text "س!"`}, 0, false},
	{"8.1", "and by a ping", part(textFrame, "\xF0\x9F") + whole(pingFrame, "\xFF") + whole(contFrame, "\x90\xA6"), []string{`pong "\xff"`, `text "🐦"`}, 0, false},
	{"8.1", "a long text of several bytes a rune", whole(textFrame, persian), []string{echoed("text", persian)}, 0, false},

	{"10.4", "a byte more than the limit fails the connection, by the header alone", promise(textFrame, 64<<10+1, ""), nil, 1009, false},
	{"10.4", "a promise of all memory too", promise(binaryFrame, 1<<62, "a"), nil, 1009, false},
	{"10.4", "fragments count together", part(textFrame, bytes64k) + promise(contFrame, 1, ""), nil, 1009, false},
	{"10.7", "a request is no frame", "GET /raw HTTP/1.1\r\nHost: app.test\r\n\r\n", nil, 1002, false},
}

// inFragments cuts a text, and pings between.
func inFragments(s string, size int) string {
	var b strings.Builder
	first := byte(textFrame)
	for ; len(s) > size; s = s[size:] {
		b.WriteString(part(first, s[:size]))
		b.WriteString(whole(pingFrame, "between"))
		first = contFrame
	}
	b.WriteString(whole(contFrame, s))
	return b.String()
}

func TestFramesOfTheRFC(t *testing.T) {
	eachServer(t, wires, func(t *testing.T, s *wholeServer) {
		for _, path := range []string{"/raw", "/ws"} {
			living := s.open(path) // for rows after which the connection lives
			for _, row := range frameRows {
				if row.bytes && path == "/ws" {
					continue
				}
				t.Run(fmt.Sprintf("%s %s %s", path, row.section, row.what), func(t *testing.T) {
					for _, sizes := range cuts(s.wire, row) {
						h := living
						if row.code != 0 {
							h = s.open(path)
						}
						h.t = t
						row.check(h, sizes)
						if row.code != 0 {
							h.nc.Close()
						}
					}
				})
			}
			living.nc.Close()
		}
	})
}

// cuts are the pieces in which a row is sent: in one, byte by byte, cut in two
// at every position, and in a few ways that chance finds.
func cuts(wire string, row frameRow) [][]int {
	n := len(row.send)
	if n > 200 {
		return [][]int{nil, {1 + n/7}, {1, 1, 1, 1, 1, 1, 1, 1, n}}
	}
	all := [][]int{nil, {1}}
	if wire == "tls" && row.code != 0 {
		return append(all, []int{1 + n/2, n}) // a handshake each
	}
	for at := 1; at < min(n, 20); at++ {
		all = append(all, []int{at, n})
	}
	for range 3 {
		all = append(all, []int{1 + rand.IntN(3), 1 + rand.IntN(9), 1 + rand.IntN(9), n})
	}
	return all
}

// check sends the row and compares what comes back. Where the connection must
// live, a ping and a text show that it does and that nothing else came.
func (row frameRow) check(h *hostile, sizes []int) {
	h.t.Helper()
	stream, want := row.send, slices.Clone(row.want)
	if row.code == 0 {
		stream += whole(pingFrame, "alive?") + whole(textFrame, "still here")
		want = append(want, `pong "alive?"`, `text "still here"`)
	} else {
		want = append(want, fmt.Sprintf("close %d", row.code), "end")
	}
	h.wait()
	go h.send(stream, sizes...)
	var got []string
	for left := len(want); left > 0; {
		said, err := h.next()
		if err != nil {
			h.t.Fatalf("in pieces %v: %v\ngot  %s\nwant %s", sizes, err, short(got), short(want))
		}
		// A manager explains a broken limit to programs before it closes.
		if strings.Contains(said, `\"path\":\"finch.error\"`) && row.code == 1009 {
			continue
		}
		got = append(got, said)
		if left--; said == "end" {
			break
		}
	}
	byKind := func(a, b string) int { return strings.Compare(kindOf(b), kindOf(a)) }
	last := got[len(got)-1]
	slices.SortStableFunc(got, byKind)
	slices.SortStableFunc(want, byKind)
	if !slices.Equal(got, want) || row.code != 0 && last != "end" {
		h.t.Fatalf("in pieces %v:\ngot  %s\nwant %s", sizes, short(got), short(want))
	}
}

// short shows the ends of what was said, the last most of all.
func short(said []string) string {
	s := strings.Join(said, ", ")
	if len(s) > 400 {
		s = s[:150] + " ... " + s[len(s)-250:]
	}
	return fmt.Sprintf("%d: %s", len(said), s)
}
