package wheel_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/finch-go/finch/internal/wheel"
)

const tick = 10 * time.Millisecond

type timer struct {
	node wheel.Node[timer]
	name int
}

func (t *timer) Deadline() *wheel.Node[timer] { return &t.node }

type clock = wheel.Wheel[timer, *timer]

func newClock() *clock { return wheel.New[timer](tick) }

// due takes everything that is due and answers the names.
func due(w *clock) map[int]bool {
	names := map[int]bool{}
	for t := w.Due(); t != nil; t = w.Due() {
		names[t.name] = true
	}
	return names
}

func TestNodeIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(wheel.Node[timer]{}); size > 24 {
		t.Errorf("a node takes %d bytes, want at most 24", size)
	}
}

func TestNothingIsDueEarlyAndNothingLate(t *testing.T) {
	for _, at := range []time.Duration{
		0, 1, tick - 1, tick, tick + 1, 63 * tick, 64 * tick, 65 * tick, 4095 * tick, 4096 * tick, 4097 * tick,
		262144 * tick, 262145*tick - 1, 25 * time.Second, 24 * time.Hour, 100 * 24 * time.Hour, 240 * 24 * time.Hour,
	} {
		for _, start := range []time.Duration{0, 63 * tick, 64 * tick, 4095*tick + 3, 365 * 24 * time.Hour, (1<<32 - 5) * tick} {
			w := newClock()
			w.Advance(start)
			one := &timer{}
			w.Set(one, start+at)
			want := (start + at + tick - 1) / tick * tick
			for {
				next, ok := w.Next()
				if !ok {
					t.Fatalf("from %v: %v is lost", start, at)
				}
				if next > want {
					t.Fatalf("from %v: Next is %v, the deadline %v", start, next, want)
				}
				w.Advance(next - 1)
				if next > start && w.Due() != nil {
					t.Fatalf("from %v: %v was due at %v", start, at, next-1)
				}
				w.Advance(next)
				if w.Due() == one {
					if next < want {
						t.Fatalf("from %v: %v was due at %v", start, at, next)
					}
					break
				}
			}
			if w.Len() != 0 {
				t.Fatalf("%d deadlines left", w.Len())
			}
		}
	}
}

func TestNextWakesAFewTimesAtMost(t *testing.T) {
	w := newClock()
	w.Set(&timer{}, 100*24*time.Hour+7*tick)
	for wakes := 1; ; wakes++ {
		next, _ := w.Next()
		w.Advance(next)
		if w.Due() != nil {
			if wakes > 5 {
				t.Errorf("woken %d times for one deadline", wakes)
			}
			return
		}
	}
}

func TestRemovedIsNeverDue(t *testing.T) {
	w := newClock()
	a, b, c := &timer{name: 1}, &timer{name: 2}, &timer{name: 3}
	for _, x := range []*timer{a, b, c} {
		w.Set(x, 5*tick) // one slot holds all three
	}
	w.Remove(b)
	w.Remove(b)
	w.Advance(5 * tick)
	w.Remove(c) // due already
	if got := due(w); len(got) != 1 || !got[1] {
		t.Errorf("due are %v, want only 1", got)
	}
	if _, ok := w.Next(); ok || w.Len() != 0 {
		t.Error("an empty wheel still wants to be advanced")
	}
	if _, ok := w.At(b); ok {
		t.Error("a removed owner still has a deadline")
	}
}

func TestSetMovesTheDeadline(t *testing.T) {
	w := newClock()
	one := &timer{}
	w.Set(one, 1000*tick)
	w.Set(one, 2*tick)
	if at, ok := w.At(one); !ok || at != 2*tick {
		t.Errorf("deadline is %v, want %v", at, 2*tick)
	}
	w.Advance(2 * tick)
	if w.Due() != one {
		t.Error("not due at the earlier time")
	}
	w.Set(one, 10*tick)
	w.Set(one, 20*tick)
	w.Advance(19 * tick)
	if w.Due() != nil {
		t.Error("due at the time it was moved away from")
	}
}

func TestPastDeadlineIsDueAtOnce(t *testing.T) {
	w := newClock()
	w.Advance(time.Hour)
	one := &timer{}
	w.Set(one, time.Minute)
	if next, ok := w.Next(); !ok || next > time.Hour {
		t.Errorf("Next is %v, want now", next)
	}
	if w.Due() != one {
		t.Error("not due")
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	w := newClock()
	w.Advance(time.Hour)
	w.Advance(time.Minute)
	one := &timer{}
	w.Set(one, time.Hour+tick)
	w.Advance(time.Hour + tick)
	if w.Due() != one {
		t.Error("not due")
	}
}

func TestTooFarIsCutToTheFarthest(t *testing.T) {
	w := newClock()
	one := &timer{}
	w.Set(one, math.MaxInt64)
	if at, _ := w.At(one); at != (1<<31-1)*tick {
		t.Errorf("deadline is %v, want 2^31-1 ticks", at)
	}
}

func TestTickMustBePositive(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	wheel.New[timer](0)
}

// TestWheelAgreesWithAList plays random operations on a wheel and on a plain
// list of times.
func TestWheelAgreesWithAList(t *testing.T) {
	for seed := range uint64(60) {
		play(t, seed, 2000)
	}
}

func FuzzWheelAgreesWithAList(f *testing.F) {
	f.Add(uint64(1), uint16(500))
	f.Add(uint64(77), uint16(5000))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { play(t, seed, int(steps)) })
}

func play(t *testing.T, seed uint64, steps int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	// Ranges from ticks to years, so that every level and the wrap are met.
	span := func() time.Duration { return time.Duration(r.Int64N(int64(tick) << r.IntN(31))) }
	w := newClock()
	now := span() * time.Duration(r.IntN(3))
	w.Advance(now)
	timers := make([]*timer, 50)
	for i := range timers {
		timers[i] = &timer{name: i}
	}
	want := map[int]time.Duration{}
	for step := range steps {
		x := timers[r.IntN(len(timers))]
		switch r.IntN(4) {
		case 0, 1:
			at := now + span()
			w.Set(x, at)
			want[x.name] = (at + tick - 1) / tick * tick
		case 2:
			w.Remove(x)
			delete(want, x.name)
		case 3:
			if next, ok := w.Next(); ok && r.IntN(2) == 0 {
				now = max(now, next)
			} else {
				now += span()
			}
			w.Advance(now)
			got := due(w)
			for name, at := range want {
				if at > now {
					if got[name] {
						t.Fatalf("seed %d, step %d: %d is due at %v, not at %v", seed, step, name, at, now)
					}
					continue
				}
				if !got[name] {
					t.Fatalf("seed %d, step %d: %d was due at %v and is not at %v", seed, step, name, at, now)
				}
				delete(want, name)
				delete(got, name)
			}
			if len(got) != 0 {
				t.Fatalf("seed %d, step %d: due without a deadline: %v", seed, step, got)
			}
		}
		if w.Len() != len(want) {
			t.Fatalf("seed %d, step %d: %d deadlines, want %d", seed, step, w.Len(), len(want))
		}
		first, any := time.Duration(math.MaxInt64), false
		for _, at := range want {
			first, any = min(first, at), true
		}
		if next, ok := w.Next(); ok != any || ok && next > max(first, now) {
			t.Fatalf("seed %d, step %d: Next is %v %v, the first deadline %v", seed, step, next, ok, first)
		}
	}
}

func TestOperationsDoNotAllocate(t *testing.T) {
	w := newClock()
	timers := make([]timer, 1000)
	now := time.Duration(0)
	n := testing.AllocsPerRun(100, func() {
		for i := range timers {
			w.Set(&timers[i], now+time.Duration(i)*tick*7)
		}
		for i := 0; i < len(timers); i += 2 {
			w.Remove(&timers[i])
		}
		now += time.Minute
		w.Advance(now)
		for w.Due() != nil {
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSet(b *testing.B) {
	w := newClock()
	timers := make([]timer, 100_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.Set(&timers[i%len(timers)], time.Duration(i&4095)*tick)
		i++
	}
}

// BenchmarkHeartbeats is a wheel at work: everybody is due once in 25 s and
// set again.
func BenchmarkHeartbeats(b *testing.B) {
	const every = 25 * time.Second
	w := newClock()
	timers := make([]timer, 100_000)
	for i := range timers {
		w.Set(&timers[i], every*time.Duration(i)/time.Duration(len(timers)))
	}
	b.ReportAllocs()
	for fired := 0; fired < b.N; {
		next, _ := w.Next()
		w.Advance(next)
		for t := w.Due(); t != nil; t = w.Due() {
			w.Set(t, next+every)
			fired++
		}
	}
}
