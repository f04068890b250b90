package demo

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// Slow is what "slow" tells everyone: how it stands with a reader that does not
// read, in a room where a robot publishes without a pause.
type Slow struct {
	State     string     `json:"state"`     // "none", "deaf" or "reading"
	Policy    string     `json:"policy"`    // of its room; of the last one in state "none"
	Published int        `json:"published"` // by the robot, numbered from 1
	Got       int        `json:"got"`       // the last number that the slow reader has
	Skipped   int        `json:"skipped"`   // numbers that the policy, or a reset, let it do without
	Lost      int        `json:"lost"`      // numbers that are missing for no such reason
	Doubled   int        `json:"doubled"`
	Steps     []SlowStep `json:"steps"` // what happened, in order
}

// SlowStep is one thing that happened to the slow reader.
type SlowStep struct {
	What  string `json:"what"`            // "deaf", "lagged", "closed", "reading", "caught_up", "reset" or "failed"
	After int64  `json:"after"`           // milliseconds since the robot began
	Count int    `json:"count,omitempty"` // ticks that it is behind, or was caught up with; the close code
	Why   string `json:"why,omitempty"`   // of a reset or a failure
}

// SlowStart asks for a slow reader in the room of a policy.
type SlowStart struct{ Policy string }

// Tick is what "tick" carries, in the slow reader's room.
type Tick struct {
	N int `json:"n"`
}

const (
	tickEvery = 25 * time.Millisecond
	// slowQueue is how much may wait for one reader of these rooms: little, so
	// that it is exceeded soon and with little traffic.
	slowQueue = 16 << 10
	// slowHistory is how many ticks the rooms keep: ten seconds.
	slowHistory = 400
	slowHears   = time.Second      // at first
	slowDeaf    = 20 * time.Second // at most
	slowCatches = 5 * time.Second  // at most
	slowAfter   = time.Second      // what it is shown to keep up for in the end
	slowTells   = 250 * time.Millisecond
)

// slowPolicies are what may become of a reader that falls too far behind, each
// in a room of its own.
var slowPolicies = map[string]finch.BehindPolicy{
	"resync": finch.Resync,
	"latest": finch.Latest,
	"close":  finch.CloseSlow,
}

// slow has one reader at a time that does not read. Its rooms have a manager of
// their own, which grants little memory to each socket.
type slow struct {
	rooms    *finch.SocketManager
	everyone *finch.SocketManager
	logger   *slog.Logger
	ctx      context.Context // ends with the demo
	stop     context.CancelFunc
	turns    *turns

	mu     sync.Mutex // guards everything below
	now    Slow
	begun  time.Time
	reset  bool          // the next number may be any
	heard  int           // ticks, in this state
	asked  chan struct{} // closed when it is asked to read again
	listen chan struct{} // closed when it may
	runs   sync.WaitGroup
}

func newSlow(h *house, everyone *finch.SocketManager, logger *slog.Logger) *slow {
	s := &slow{everyone: everyone, logger: logger, now: Slow{State: "none", Policy: "resync"}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.rooms = h.manager("slow", finch.SocketManagerOptions{
		Logger: logger,
		Limits: finch.Limits{QueueBytes: slowQueue},
	})
	s.turns = newTurns(s.rooms)
	for name, policy := range slowPolicies {
		s.rooms.DeclareRooms("slow:"+name, finch.RoomOptions{HistorySize: slowHistory, Behind: policy, CanJoin: finch.Anybody})
	}
	finch.OnRequest(everyone, "slow.state", func(ctx context.Context, _ *finch.Socket, _ any) (Slow, error) { return s.standing(ctx) })
	finch.OnRequest(everyone, "slow.start", func(ctx context.Context, _ *finch.Socket, in SlowStart) (Slow, error) {
		if err := s.start(ctx, in.Policy); err != nil {
			return Slow{}, err
		}
		return s.copy(), nil
	})
	finch.OnRequest(everyone, "slow.read", func(ctx context.Context, _ *finch.Socket, _ any) (Slow, error) {
		now, err := s.standing(ctx)
		if err == nil && now.State == "deaf" {
			err = s.turns.wake(ctx) // whichever node has it
		}
		return now, err
	})
	return s
}

func (s *slow) copy() Slow {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now
	now.Steps = slices.Clone(now.Steps)
	return now
}

// standing is how it stands, here or on the node that has the slow reader.
func (s *slow) standing(ctx context.Context) (Slow, error) {
	now := s.copy()
	if now.State != "none" {
		return now, nil
	}
	elsewhere, err := s.turns.last(ctx)
	if err != nil || elsewhere == nil {
		return now, err
	}
	return *elsewhere, nil
}

// start begins, if nobody else has, here or on another node.
func (s *slow) start(ctx context.Context, policy string) error {
	if _, ok := slowPolicies[policy]; !ok {
		return finch.Errorf(422, "bad_policy", "a policy is resync, latest or close")
	}
	if now, err := s.standing(ctx); err != nil || now.State != "none" {
		return cmp.Or(err, errAlreadySlow)
	}
	if err := s.turns.take(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.State != "none" || s.ctx.Err() != nil {
		return errAlreadySlow
	}
	s.now = Slow{State: "reading", Policy: policy, Steps: []SlowStep{}}
	s.begun, s.reset = time.Now(), false
	s.asked, s.listen = make(chan struct{}), make(chan struct{})
	s.runs.Go(s.run)
	return nil
}

// ask asks for the end of the reader's deafness.
func (s *slow) ask() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.asked:
	default:
		close(s.asked)
	}
}

// run is one slow reader from its beginning to its end.
func (s *slow) run() {
	ctx, cancel := context.WithTimeout(s.ctx, slowHears+slowDeaf+slowCatches+slowAfter+5*time.Second)
	defer cancel()
	err := s.watch(ctx)
	s.mu.Lock()
	if err != nil && s.ctx.Err() == nil {
		s.logger.Error("demo: the slow reader failed", "error", err)
		s.step(SlowStep{What: "failed", Why: err.Error()})
	}
	s.now.State = "none"
	s.mu.Unlock()
	s.tell()
}

func (s *slow) watch(ctx context.Context) error {
	policy := s.copy().Policy
	reader, err := newSlowReader(ctx, s, "slow:"+policy)
	if err != nil {
		return err
	}
	defer reader.close()
	robot, quit := context.WithCancel(ctx)
	var busy sync.WaitGroup
	busy.Go(func() { s.publish(robot, policy) })
	defer busy.Wait()
	defer quit()

	if err := s.turns.sleep(ctx); err != nil {
		return err
	}
	s.until(ctx, slowHears, func() bool { return false })
	reader.ignore(s.listen)
	before := s.rooms.Stats()
	s.enter("deaf")
	s.until(ctx, slowDeaf, func() bool {
		before = s.judged(before)
		select {
		case <-s.asked:
			return true
		default:
			return false
		}
	})
	s.enter("reading")
	close(s.listen)
	s.until(ctx, slowCatches, s.caughtUp)
	s.until(ctx, slowAfter, func() bool { return false })
	return nil
}

// judged notes what the server has decided about the reader, which it does
// without a word to the app: its counters tell.
func (s *slow) judged(before finch.Stats) (now finch.Stats) {
	now = s.rooms.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Lagged > before.Lagged {
		s.step(SlowStep{What: "lagged"})
	}
	if now.Slow > before.Slow {
		s.step(SlowStep{What: "closed", Count: 1013})
	}
	return now
}

// until tells everyone how it stands, again and again, until done or so long.
func (s *slow) until(ctx context.Context, most time.Duration, done func() bool) {
	look := time.NewTicker(slowTells / 5)
	defer look.Stop()
	end := time.After(most)
	for i := 0; ; i++ {
		if i%5 == 0 {
			s.tell()
			if s.turns.woken(ctx) {
				s.ask()
			}
		}
		select {
		case <-look.C:
		case <-end:
			return
		case <-ctx.Done():
			return
		}
		if done() {
			return
		}
	}
}

// enter notes a state, and how far behind the reader is.
func (s *slow) enter(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.State, s.heard = state, 0
	s.step(SlowStep{What: state, Count: s.now.Published - s.now.Got})
}

// step notes what happened. Called with mu held.
func (s *slow) step(step SlowStep) {
	step.After = time.Since(s.begun).Milliseconds()
	s.now.Steps = append(s.now.Steps, step)
}

// caughtUp tells whether the reader has all but what is under way, and notes it.
func (s *slow) caughtUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Published-s.now.Got > 2 {
		return false
	}
	s.step(SlowStep{What: "caught_up", Count: s.heard})
	return true
}

// publish is the robot.
func (s *slow) publish(ctx context.Context, policy string) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// Under Latest a tick takes the place of the one before it; the other
		// policies do not look at the name.
		if _, err := s.rooms.Room("slow:"+policy).Publish(ctx, "tick", Tick{n}, finch.Replaces("tick")); err != nil {
			return
		}
		s.mu.Lock()
		s.now.Published = n
		s.mu.Unlock()
	}
}

func (s *slow) tell() {
	now := s.copy()
	s.turns.note(s.ctx, &now)
	s.everyone.SendToAll("slow", now)
}

func (s *slow) shutdown(ctx context.Context) error {
	s.stop()
	s.runs.Wait()
	return s.rooms.Shutdown(ctx)
}
