package bench_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

func TestStampsAreFoundInWhateverSurroundsThem(t *testing.T) {
	s := bench.NewStamper(128)
	first, second := bench.Stamp{Sender: 7, Slot: 3, Seq: 1 << 31, Due: 1 << 47}, bench.Stamp{Seq: 1}
	message := fmt.Appendf(nil, `{"path":"echo","data":"%s"}`+"\n"+`{"data":"%s"}`, s.Append(nil, first), s.Append(nil, second))
	for _, want := range []bench.Stamp{first, second} {
		got, whole, after, found := s.Next(message)
		if !found || !whole || got != want {
			t.Fatalf("got %+v, whole %v, found %v; want %+v", got, whole, found, want)
		}
		message = after
	}
	if _, _, _, found := s.Next(message); found {
		t.Error("found a third stamp of two")
	}
}

func TestPayloadsHaveTheSizeThatWasAskedFor(t *testing.T) {
	for _, size := range []int{bench.MinSize, bench.MinSize + 1, 128, 1 << 20} {
		if got := len(bench.NewStamper(size).Append(nil, bench.Stamp{})); got != size {
			t.Errorf("a payload of %d bytes has %d", size, got)
		}
	}
}

func TestChangedPayloadsAreNotWhole(t *testing.T) {
	s := bench.NewStamper(64)
	for name, change := range map[string]func(b []byte) []byte{
		"a byte changed": func(b []byte) []byte { b[60] ^= 1; return b },
		"cut short":      func(b []byte) []byte { return b[:63] },
	} {
		if _, whole, _, found := s.Next(change(s.Append(nil, bench.Stamp{}))); !found || whole {
			t.Errorf("%s: whole %v, found %v", name, whole, found)
		}
	}
}

func TestAnotherRunsStampsAreNotOurs(t *testing.T) {
	a, b := bench.NewStamper(64), bench.NewStamper(64)
	theirs := b.Append(nil, bench.Stamp{})
	if bytes.Equal(theirs, a.Append(nil, bench.Stamp{})) {
		t.Skip("both drew the same mark, which happens once in 65,536 times")
	}
	if _, _, _, found := a.Next(theirs); found {
		t.Error("took another run's message for its own")
	}
}

func FuzzStamp(f *testing.F) {
	s := bench.NewStamper(64)
	f.Add([]byte{})
	f.Add(s.Append(nil, bench.Stamp{Sender: 1}))
	f.Add(s.Append(nil, bench.Stamp{Sender: 1})[:40])
	f.Add([]byte("~F~F"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; ; {
			_, _, after, found := s.Next(rest)
			if !found {
				return
			}
			if len(after) >= len(rest) {
				t.Fatalf("%q: nothing was consumed", rest)
			}
			rest = after
		}
	})
}
