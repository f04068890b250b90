package differential_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

// A verdict is what a parser makes of a stream that ends where it ends.
type verdict struct {
	events  []string // messages and control frames, in order
	refused string   // why the rest of the stream is refused; empty: it is not
	at      int      // ours only: after how many bytes
}

func (v verdict) String() string {
	return fmt.Sprintf("%s; refused %q", strings.Join(v.events, ", "), v.refused)
}

func message(kind string, payload []byte) string { return fmt.Sprintf("%s %q", kind, payload) }

func goodbye(code int, reason string) string { return fmt.Sprintf("close %d %q", code, reason) }

// pieces cuts a stream: sizes are used again and again, zero is sixteen.
func pieces(stream, sizes []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 0; len(stream) > 0; i++ {
			n := len(stream)
			if len(sizes) > 0 {
				if n = int(sizes[i%len(sizes)]); n == 0 {
					n = 16
				}
			}
			n = min(n, len(stream))
			if !yield(stream[:n]) {
				return
			}
			stream = stream[n:]
		}
	}
}

// ours asks Finch's parser, as a server.
func ours(t *testing.T, stream, sizes []byte, limit int) (v verdict) {
	t.Helper()
	var p frame.Parser
	c := frame.Config{MaxMessage: limit}
	for piece := range pieces(stream, sizes) {
		for b := slices.Clone(piece); len(b) > 0; { // it is unmasked in place
			ev, n, err := p.Next(&c, b)
			if err != nil {
				var e *frame.Error
				if !errors.As(err, &e) {
					t.Fatalf("refused with a %T: %v", err, err)
				}
				v.refused = fmt.Sprintf("%d %s", e.Code, e.Reason)
				v.at += len(b) // no more than that: exact when the pieces are single bytes
				return v
			}
			b = b[n:]
			v.at += n
			switch ev.Opcode {
			case frame.Continuation:
			case frame.Close:
				v.events = append(v.events, goodbye(ev.Code, ev.Reason))
				return v
			default:
				v.events = append(v.events, message(ev.Opcode.String(), ev.Payload))
			}
		}
	}
	return v
}

// A judge is another library's parser, and where it is known to differ.
type judge struct {
	name string
	ask  func(t *testing.T, stream, sizes []byte, limit int) verdict

	// lenient names what Finch refuses and the judge takes, each with the
	// sentence of RFC 6455 that Finch follows.
	lenient map[string]string

	// stricter are close codes that Finch takes and the judge refuses.
	stricter []string

	// limits: it knows a bound for a whole message.
	limits bool
}

const maxHeader = frame.MaxHeader

// compare fails the test if the judge and Finch differ where they are not known
// to.
func (j judge) compare(t *testing.T, stream, sizes []byte, limit int) {
	t.Helper()
	if !j.limits {
		limit = 0
	}
	we := ours(t, stream, sizes, limit)
	exact := ours(t, stream, []byte{1}, limit)
	if we.String() != exact.String() {
		t.Fatalf("Finch differs from itself:\nin pieces %v: %v\nbyte by byte: %v", sizes, we, exact)
	}
	they := j.ask(t, stream, sizes, limit)
	fail := func(why string) {
		t.Helper()
		t.Errorf("%s: stream % x\nin pieces %v, limit %d\nFinch: %v\n%s: %v", why, stream, sizes, limit, we, j.name, they)
	}
	switch {
	case we.refused == "" && they.refused == "":
		if !slices.Equal(we.events, they.events) {
			fail("both take the stream, and understand different things")
		}
	case we.refused == "" && ours(t, append(slices.Clip(stream), 0, 0, 0, 0), nil, limit).refused == "1002 payload length has its top bit set":
		// Finch looks at a length when the header is whole, masking key and all.
		if !slices.Equal(we.events, they.events) {
			fail("they differ before a length that only the other has refused yet")
		}
	case we.refused == "":
		last := len(we.events) - 1
		if last < 0 || !slices.ContainsFunc(j.stricter, func(code string) bool { return strings.HasPrefix(we.events[last], "close "+code+" ") }) || !slices.Equal(we.events[:last], they.events) {
			fail("only the other refuses")
		}
	case j.lenient[we.refused] != "":
		if len(they.events) < len(we.events) || !slices.Equal(we.events, they.events[:len(we.events)]) {
			fail("they differ before what only Finch refuses")
		}
	case they.refused == "":
		// Finch says no as soon as a byte shows it; the other reads whole headers
		// and may still wait for one. Beyond that it has no excuse.
		if len(stream)-exact.at >= maxHeader || !slices.Equal(we.events, they.events) {
			fail("only Finch refuses")
		}
	case !slices.Equal(we.events, they.events):
		fail("both refuse, at different places")
	}
}
