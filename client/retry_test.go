package client_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/finch-go/finch/client"
)

// lost is the end of a connection that had held for long.
var lost = client.Ending{Code: 1006, Opened: true, Held: time.Hour}

// refused is a handshake that opened nothing.
var refused = client.Ending{Code: 1006}

func TestTheBoundOfTheDelayDoublesAndBeginsAnew(t *testing.T) {
	p := client.NewPolicy()
	const almost = 1 - 1e-12
	for i, step := range []struct {
		e     client.Ending
		bound time.Duration
	}{
		{lost, 5 * time.Second}, // from the first try on
		{refused, 10 * time.Second},
		{refused, 20 * time.Second},
		{refused, 20 * time.Second},
		{client.Ending{Code: 1013, Opened: true, Held: 9 * time.Second}, 20 * time.Second}, // did not hold
		{client.Ending{Code: 4429, Opened: true, Held: 10 * time.Second}, 5 * time.Second},
		{client.Ending{Code: 1011, Opened: true}, 10 * time.Second},
		{client.Ending{Code: 1012, Opened: true, Held: time.Minute}, 5 * time.Second}, // without a slot
	} {
		saved := *p
		if stop, _, delay := p.After(step.e, false, 0); stop || delay != 0 {
			t.Errorf("step %d: with the least of luck the delay is %v", i, delay)
		}
		*p = saved
		if _, _, delay := p.After(step.e, false, almost); delay > step.bound || delay < step.bound-time.Millisecond {
			t.Errorf("step %d: with the most of luck the delay is %v, not %v", i, delay, step.bound)
		}
	}
}

func TestASlotIsObeyedExactly(t *testing.T) {
	for _, random := range []float64{0, 0.5, 0.99} {
		for _, code := range []int{1012, 1001, 1006, 4408} {
			p := client.NewPolicy()
			p.After(refused, false, random)
			for _, slot := range []time.Duration{1234 * time.Millisecond, 0, -time.Second} {
				e := lost
				e.Code, e.Drained, e.Slot = code, true, slot
				if stop, _, delay := p.After(e, false, random); stop || delay != max(slot, 0) {
					t.Errorf("after %d the delay is %v, and the slot in %v", code, delay, slot)
				}
			}
		}
	}
}

func TestCodesThatStopDoStop(t *testing.T) {
	for _, code := range []int{1000, 1002, 1003, 1007, 1008, 4403, 4409, 3000, 4999} {
		e := lost
		e.Code, e.Drained, e.Slot = code, true, time.Second
		if stop, _, _ := client.NewPolicy().After(e, true, 0.5); !stop {
			t.Errorf("%d does not stop the client", code)
		}
	}
}

func TestANewTokenIsTriedOnce(t *testing.T) {
	denied := client.Ending{Code: 4401}
	expired := client.Ending{Code: 4401, Opened: true, Held: time.Hour}
	p := client.NewPolicy()
	if stop, _, _ := p.After(denied, false, 0); !stop {
		t.Error("a client without a way to a token goes on")
	}
	if stop, renew, delay := p.After(denied, true, 0.9); stop || !renew || delay != 0 {
		t.Errorf("the first refusal: stop %v, new token %v, delay %v", stop, renew, delay)
	}
	if stop, _, _ := p.After(refused, true, 0.9); stop {
		t.Error("a refused handshake in between stops the client")
	}
	if stop, _, _ := p.After(denied, true, 0.9); !stop {
		t.Error("the second refusal does not stop the client")
	}
	p = client.NewPolicy()
	for i := range 3 { // each after a connection that was open
		stop, renew, delay := p.After(expired, true, 0.9)
		if stop || !renew || delay < 4*time.Second || delay > 5*time.Second {
			t.Errorf("expiry %d: stop %v, new token %v, delay %v", i, stop, renew, delay)
		}
	}
}

// crowd is how many clients lose their server at one moment.
const crowd = 10_000

// bucket is the time over which arrivals are counted.
const bucket = 100 * time.Millisecond

// arrivals counts when the clients of a crowd come. admitted says whether the
// server takes one at that moment; one that is refused tries again.
func arrivals(seed uint64, end client.Ending, slot func(i int, r *rand.Rand) time.Duration, admitted func(at time.Duration) bool) (in []time.Duration, tries map[int]int) {
	r := rand.New(rand.NewPCG(seed, 1))
	var due dues
	policies := make([]*client.Policy, crowd)
	for i := range policies {
		policies[i] = client.NewPolicy()
		e := end
		if slot != nil {
			e.Drained, e.Slot = true, slot(i, r)
		}
		_, _, delay := policies[i].After(e, false, r.Float64())
		due = append(due, one{delay, i})
	}
	heap.Init(&due)
	tries = map[int]int{}
	for len(due) > 0 {
		next := heap.Pop(&due).(one)
		tries[int(next.at/bucket)]++
		if admitted(next.at) {
			in = append(in, next.at)
			continue
		}
		_, _, delay := policies[next.i].After(refused, false, r.Float64())
		heap.Push(&due, one{next.at + delay, next.i})
	}
	return in, tries
}

// one is a client and when it tries.
type one struct {
	at time.Duration
	i  int
}

type dues []one

func (d dues) Len() int           { return len(d) }
func (d dues) Less(a, b int) bool { return d[a].at < d[b].at }
func (d dues) Swap(a, b int)      { d[a], d[b] = d[b], d[a] }
func (d *dues) Push(x any)        { *d = append(*d, x.(one)) }
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// most is the fullest of the buckets.
func most(tries map[int]int) (n int) {
	for _, k := range tries {
		n = max(n, k)
	}
	return n
}

// told prints what a crowd did: `go test -run Crowd -v`.
func told(t *testing.T, what string, in []time.Duration, tries map[int]int) {
	slices.Sort(in)
	t.Logf("%s: 99%% are back after %v, all after %v; at most %d tries in %v",
		what, in[len(in)*99/100].Round(time.Millisecond), in[len(in)-1].Round(time.Millisecond), most(tries), bucket)
}

func TestACrowdComesBackSpread(t *testing.T) {
	always := func(time.Duration) bool { return true }
	for seed := range uint64(5) {
		// No hint: over at least 5 s.
		in, tries := arrivals(seed, lost, nil, always)
		told(t, fmt.Sprintf("seed %d, no hint", seed), in, tries)
		mean := crowd / int(5*time.Second/bucket)
		if most(tries) > 2*mean {
			t.Errorf("%d clients came in one of the buckets, the mean is %d", most(tries), mean)
		}
		if last := in[len(in)-1]; last > 5*time.Second || in[len(in)/2] < 2*time.Second {
			t.Errorf("half of the clients were back after %v, the last after %v", in[len(in)/2], last)
		}
		// With finch.drain: over the time that the server wants, here 12 s.
		drained := lost
		drained.Code = 1012
		in, tries = arrivals(seed, drained, func(i int, r *rand.Rand) time.Duration {
			return 12 * time.Second * time.Duration(i+1) / crowd
		}, always)
		told(t, fmt.Sprintf("seed %d, slots over 12 s", seed), in, tries)
		mean = crowd / int(12*time.Second/bucket)
		if most(tries) > 2*mean {
			t.Errorf("%d clients came in one of the buckets, the mean is %d", most(tries), mean)
		}
		if last := in[len(in)-1]; last != 12*time.Second {
			t.Errorf("the last slot was in 12 s, the client came after %v", last)
		}
	}
}

func TestACrowdDoesNotStormAServerThatIsDown(t *testing.T) {
	for seed := range uint64(3) {
		// Away for a minute: then they come at the rate at which they tried.
		in, tries := arrivals(seed, lost, nil, func(at time.Duration) bool { return at > time.Minute })
		told(t, fmt.Sprintf("seed %d, down for 1 min", seed), in, tries)
		if n := most(tries); n > 2*crowd/50 {
			t.Errorf("%d clients tried in one of the buckets", n)
		}
		for k, n := range tries {
			if at := time.Duration(k) * bucket; at > 40*time.Second && n > 2*crowd/100 {
				t.Errorf("%d clients tried at %v: with a bound of 20 s each tries every 10 s", n, at)
			}
		}
		// A server that takes 1,000 a second and refuses the rest.
		budget := map[int]int{}
		in, tries = arrivals(seed, lost, nil, func(at time.Duration) bool {
			k := int(at / bucket)
			budget[k]++
			return budget[k] <= 100
		})
		told(t, fmt.Sprintf("seed %d, 1,000 a second admitted", seed), in, tries)
		if last := in[len(in)*99/100]; last > 30*time.Second {
			t.Errorf("a server that takes 1,000 a second has 99%% of 10,000 back after %v", last)
		}
	}
}
