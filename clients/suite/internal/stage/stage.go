package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/scripted"
)

// Patience is how long a scenario waits for what must come.
const Patience = 5 * time.Second

// longest is how long a scenario may take, whatever keeps coming.
const longest = time.Minute

// A Scenario is one story of a client and a server.
type Scenario struct {
	// Name is unique, and part of an address: small letters, digits and dashes.
	Name string
	// Checks is the sentence of the pages that it holds the client to.
	Checks string
	// Needs lists the features without which the client cannot play it.
	Needs []string
	// Play plays it. It returns if all went well.
	Play func(s *Stage)
}

// A Stage is one scenario that is being played. Its methods and those of its
// clients and connections belong on the goroutine of Play, and end it when
// something is not as it should be.
type Stage struct {
	name   string
	ctx    context.Context // ends with the scenario, or with its driver
	abort  context.CancelCauseFunc
	server *scripted.Server
	driver *Driver

	clients []*Client

	mu    sync.Mutex
	story []string
}

// failure is what a scenario panics with to end itself.
type failure string

// Play plays a scenario and returns nil if all went well.
func Play(ctx context.Context, sc Scenario, server *scripted.Server, driver *Driver) (err error) {
	s := &Stage{name: sc.Name, server: server, driver: driver}
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("the scenario takes longer than %v", longest))
	defer cancel()
	s.ctx, s.abort = context.WithCancelCause(ctx)
	defer s.abort(nil)
	defer func() {
		defer s.leave()
		switch why := recover().(type) {
		case nil:
		case failure:
			err = fmt.Errorf("%s\n%s", string(why), s.told())
		default:
			panic(why)
		}
	}()
	sc.Play(s)
	return nil
}

// Fail ends the scenario.
func (s *Stage) Fail(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// Check ends the scenario unless ok.
func (s *Stage) Check(ok bool, format string, args ...any) {
	if !ok {
		s.Fail(format, args...)
	}
}

// leave lets go of the scenario's clients and connections.
func (s *Stage) leave() {
	for _, c := range s.clients {
		if !s.driver.Ended() {
			s.driver.do(map[string]any{"do": "forget", "client": c.name})
		}
		s.driver.close(c.name)
		for _, conn := range c.conns {
			conn.Drop()
		}
	}
}

// tell notes what happened, for the message of a failure.
func (s *Stage) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.story = append(s.story, fmt.Sprintf(format, args...))
}

// maxTold is how many of the last lines of the story a failure shows.
const maxTold = 60

func (s *Stage) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.story
	if len(lines) > maxTold {
		lines = lines[len(lines)-maxTold:]
	}
	return "\t" + strings.Join(lines, "\n\t")
}

// Within returns a context that ends after d.
func (s *Stage) Within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, d)
}

func (s *Stage) patience(d time.Duration, what string, args ...any) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(s.ctx, d, fmt.Errorf("%s: not within %v", fmt.Sprintf(what, args...), d))
}

// compact returns JSON without blanks; what is no JSON, as it is.
func compact(b []byte) string {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return string(b)
	}
	return out.String()
}

// Same reports whether two texts are the same JSON: the order of members has no
// meaning.
func Same(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	first, _ := json.Marshal(x)
	second, _ := json.Marshal(y)
	return bytes.Equal(first, second)
}
