package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"syscall"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// Run makes the plan happen. It blocks until the plan is over; when ctx ends it
// stops early and returns ctx's error. Faults and errors of sockets are in the
// Result and no error of Run; an error is that nothing could be measured.
func Run(ctx context.Context, p Plan) (*Result, error) {
	p, err := p.Ready()
	if err != nil {
		return nil, err
	}
	// The thread is this goroutine's alone, so that no other work of the process
	// is charged to the latencies.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := newRun(ctx, p)
	if err != nil {
		return nil, err
	}
	defer r.loop.close()
	if err := r.do(); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// A run is a plan on its way.
type run struct {
	ctx    context.Context
	plan   Plan
	loop   *loop
	server *Process // nil if there is none to measure
	stamps *stamper
	wrap   wrap
	op     frame.Opcode
	work   work
	result Result

	errors    map[string]int
	handshake *Latencies
	latency   *Latencies
	lateness  *Latencies
	payload   []byte // one on its way out

	// The measurement, in ns since the run began. Messages due within it count.
	from, to int64

	progress progress
	memory   int64 // of the server before the first socket
}

// work is what a scenario does with sockets that are open.
type work interface {
	// begin starts at a time at which the first message is due.
	begin(now int64)
	// arrived: a payload of this run came to s.
	arrived(s *socket, st stamp, now int64)
	// dropped: s will not get what it waits for.
	dropped(s *socket)
	// due sends what is due.
	due(now int64) (next int64)
	// outstanding is how many deliveries are still to come.
	outstanding() int64
	// lost counts deliveries that never came, to sockets that are still here.
	lost() uint64
}

func newRun(ctx context.Context, p Plan) (*run, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	t, err := lookUp(ctx, u, p.Sockets)
	if err != nil {
		return nil, err
	}
	d := dialects[p.Protocol]
	l, err := newLoop(t, newGreeting(u, &p), d)
	if err != nil {
		return nil, err
	}
	r := &run{
		ctx: ctx, plan: p, loop: l,
		stamps: newStamper(p.Size), wrap: d.echo, op: frame.Text,
		result: Result{Scenario: p.Scenario, URL: p.URL, Protocol: p.Protocol},
		errors: map[string]int{}, handshake: NewLatencies(), latency: NewLatencies(), lateness: NewLatencies(),
		from: never, to: never,
		progress: progress{out: p.Progress},
	}
	path := "echo"
	if p.Scenario == Fanout || p.Scenario == Slow {
		r.wrap, path = d.all, "all"
	}
	if p.Binary {
		r.wrap, r.op = d.binary(path), frame.Binary
	}
	l.load = r
	if u.Scheme == "wss" {
		d, err := newTLSDialer(ctx, u, &p)
		if err == nil {
			err = l.secure(d)
		}
		if err != nil {
			l.close()
			return nil, err
		}
	}
	if p.ServerPID != 0 {
		if r.server, err = OpenProcess(p.ServerPID, p.SettleURL, p.InsecureSkipVerify); err != nil {
			l.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *run) do() error {
	var err error
	if r.server != nil {
		if r.memory, err = r.server.Memory(r.ctx); err != nil {
			return err
		}
	}
	if err := r.openAll(); err != nil {
		return err
	}
	switch r.plan.Scenario {
	case Connect:
	case Idle:
		err = r.rest()
	case Echo:
		err = r.measure(newEchoWork(r))
	default:
		w := newFanWork(r)
		if err = w.callRoll(); err == nil {
			err = r.measure(w)
		}
	}
	if err != nil {
		return err
	}
	if r.server != nil {
		if err := r.weigh(); err != nil {
			return err
		}
	}
	if err := r.hearSlow(); err != nil {
		return err
	}
	return r.leave()
}

// until turns the loop until done or the time is over; no time is never.
func (r *run) until(done func() bool, end int64) error {
	for !done() {
		now := r.loop.now()
		if now >= end {
			return nil
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		r.progress.tick(r, now)
		// Often enough to notice that ctx has ended.
		if err := r.loop.step(min(end, now+int64(50*time.Millisecond))); err != nil {
			return err
		}
		if r.loop.unsent > maxUnsent {
			return fmt.Errorf("%d MB wait to be sent: the server takes less than it is sent; lower --rate, --in-flight or --size", maxUnsent>>20)
		}
	}
	return nil
}

// maxUnsent bounds what waits in the generator's memory.
const maxUnsent = 2 << 30

func (r *run) openAll() error {
	p := &r.plan
	atOnce := openAtOnce
	var interval float64
	if p.Scenario == Connect {
		atOnce = p.InFlight
		if p.Rate > 0 {
			interval = float64(time.Second) / p.Rate
		}
	}
	cpu, err := r.serverCPU()
	if err != nil {
		return err
	}
	own := ownCPU()
	begin := r.loop.now()
	oldest := 0
	for n := 0; n < p.Sockets || r.loop.opening > 0; {
		now := r.loop.now()
		for ; n < p.Sockets; n++ {
			due := now
			if interval > 0 {
				if due = begin + int64(float64(n)*interval); due > now {
					break
				}
				r.lateness.Record(now - due)
			} else if r.loop.opening >= atOnce {
				break
			}
			r.loop.dial(due, n >= p.Sockets-p.SlowSockets)
		}
		oldest = r.expire(oldest, now)
		next := now + int64(50*time.Millisecond)
		if interval > 0 && n < p.Sockets {
			next = min(next, begin+int64(float64(n)*interval))
		}
		r.progress.tick(r, now)
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.loop.step(next); err != nil {
			return err
		}
	}
	r.result.OpenTime = time.Duration(r.loop.now() - begin)
	if r.result.Opened == 0 {
		for _, e := range counts(r.errors) {
			return fmt.Errorf("no socket opened at %s: %s", p.URL, e.Error)
		}
	}
	if r.server == nil {
		return nil
	}
	after, err := r.serverCPU()
	if err != nil {
		return err
	}
	r.result.Server = &ServerCost{OpenCPU: after - cpu, RSSBefore: r.memory}
	if p.Scenario == Connect {
		r.account(after-cpu, ownCPU()-own, r.result.OpenTime, uint64(r.result.Opened))
	}
	return nil
}

// openAtOnce is how many handshakes are under way before scenarios that are not
// about them: less than any server's backlog.
const openAtOnce = 128

var errNoAnswer = errors.New("no answer to the handshake in time")

// expire ends handshakes that take too long; sockets before the returned index
// are through.
func (r *run) expire(oldest int, now int64) int {
	for ; oldest < len(r.loop.sockets); oldest++ {
		s := r.loop.sockets[oldest]
		if s.phase < ready && now-s.began < int64(r.plan.Timeout) {
			break
		}
		if s.phase < ready {
			r.loop.end(s, errNoAnswer)
		}
	}
	return oldest
}

func (r *run) serverCPU() (time.Duration, error) {
	if r.server == nil {
		return 0, nil
	}
	cpu, err := r.server.CPU()
	if errors.Is(err, syscall.ESRCH) {
		err = fmt.Errorf("the server's process %d has ended", r.plan.ServerPID)
	}
	return cpu, err
}

// account enters what the measurement cost.
func (r *run) account(server, own, elapsed time.Duration, units uint64) {
	r.result.Elapsed = elapsed
	if elapsed > 0 {
		r.result.Generator.Share = float64(own) / float64(elapsed)
	}
	if c := r.result.Server; c != nil {
		c.CPU = server
		if elapsed > 0 {
			c.Share = float64(server) / float64(elapsed)
		}
		if units > 0 {
			c.CPUPerUnit = float64(server) / float64(units)
		}
	}
}

// measure lets the work warm up, measures it, and waits for what is still under
// way.
func (r *run) measure(w work) error {
	begin := r.loop.now()
	r.from = begin + int64(r.plan.Warmup)
	r.to = r.from + int64(r.plan.Duration)
	r.work = w
	w.begin(begin)
	not := func() bool { return false }
	if err := r.until(not, r.from); err != nil {
		return err
	}
	cpu, err := r.serverCPU()
	if err != nil {
		return err
	}
	own, at, had := ownCPU(), r.loop.now(), r.result.Received
	if err := r.until(not, r.to); err != nil {
		return err
	}
	after, err := r.serverCPU()
	if err != nil {
		return err
	}
	r.result.Delivered = r.result.Received - had
	r.account(after-cpu, ownCPU()-own, time.Duration(r.loop.now()-at), r.result.Delivered)

	// What is late may still come, as long as anything does.
	seen := r.result.Received
	end := r.loop.now() + int64(r.plan.Timeout)
	err = r.until(func() bool {
		if r.result.Received != seen {
			seen, end = r.result.Received, r.loop.now()+int64(r.plan.Timeout)
		}
		return w.outstanding() <= 0 || r.loop.now() >= end
	}, never)
	if err != nil {
		return err
	}
	// And what should not come at all.
	if err := r.until(not, r.loop.now()+int64(afterwards)); err != nil {
		return err
	}
	r.result.Faults.Lost = w.lost()
	return nil
}

// afterwards is how long the generator listens for doubles of the last messages.
const afterwards = 20 * time.Millisecond

// weigh reads the server's memory with all sockets open.
func (r *run) weigh() error {
	after, err := r.server.Memory(r.ctx)
	if err != nil {
		return err
	}
	c := r.result.Server
	c.RSSAfter = after
	if open := r.loop.open; open > 0 {
		c.BytesPerSocket = float64(after-c.RSSBefore) / float64(open)
	}
	return nil
}

// leave closes all sockets and waits for the server to do so too.
func (r *run) leave() error {
	for _, s := range r.loop.sockets {
		r.loop.leave(s)
	}
	return r.until(func() bool { return r.loop.open == 0 }, r.loop.now()+int64(r.plan.Timeout))
}

func (r *run) finish() *Result {
	res := &r.result
	res.Handshake, res.Latency = summarize(r.handshake), summarize(r.latency)
	res.ErrorCounts = counts(r.errors)
	res.Generator.Late, res.Generator.LateMax = r.lateness.At(99), r.lateness.Max()
	return res
}
