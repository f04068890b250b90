package conn_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// patience is how long a test waits for what must come. In a bubble it costs
// nothing; elsewhere only a failing test spends it.
const patience = 20 * time.Second

// owner is the Events of a test: it writes a diary, calls the test's own
// callbacks, and checks what must hold in every test.
type owner struct {
	t *testing.T
	c *conn.Conn

	onOpened   func()
	onEarly    func(op frame.Opcode, payload []byte) bool
	onReceived func(op frame.Opcode, payload []byte)
	onEnding   func(why conn.Close)
	onClosing  func()
	writable   atomic.Int32

	mu      sync.Mutex
	diary   []string
	deaf    []error
	why     conn.Close
	running string // the executor's callback that runs now
	changed chan struct{}
}

func newOwner(t *testing.T) *owner { return &owner{t: t, changed: make(chan struct{})} }

// note adds a line to the diary.
func (o *owner) note(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.IndexFunc(o.diary, isClosed); i >= 0 {
		o.t.Errorf("%q came after %q", line, o.diary[i])
	}
	o.diary = append(o.diary, line)
	close(o.changed)
	o.changed = make(chan struct{})
}

// turn notes a callback of the executor and checks that it is the only one.
func (o *owner) turn(line string, f func()) {
	o.mu.Lock()
	if o.running != "" {
		o.t.Errorf("%q was called while %q ran", line, o.running)
	}
	if line != "opened" && !slices.Contains(o.diary, "opened") {
		o.t.Errorf("%q came before Opened", line)
	}
	o.running = line
	o.mu.Unlock()
	o.note(line)
	if f != nil {
		f()
	}
	o.mu.Lock()
	o.running = ""
	o.mu.Unlock()
}

func (o *owner) Opened() { o.turn("opened", o.onOpened) }

func (o *owner) Early(op frame.Opcode, payload []byte) bool {
	return o.onEarly != nil && o.onEarly(op, payload)
}

func (o *owner) Received(op frame.Opcode, payload []byte) {
	line := fmt.Sprintf("%v %s", op, payload)
	if len(payload) > 100 {
		line = fmt.Sprintf("%v of %d bytes", op, len(payload))
	}
	o.turn(line, func() {
		if o.onReceived != nil {
			o.onReceived(op, payload)
		}
	})
}

func (o *owner) Ending(why conn.Close, failed bool) {
	line := fmt.Sprint("ending ", why.Code)
	if failed {
		line = fmt.Sprint("failing ", why.Code)
	}
	o.turn(line, func() {
		if o.onEnding != nil {
			o.onEnding(why)
		}
	})
}

func (o *owner) Writable() { o.writable.Add(1) }

func (o *owner) Deaf(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deaf = append(o.deaf, err)
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *owner) Closing() {
	if o.onClosing != nil {
		o.onClosing()
	}
	o.note("closing")
}

func (o *owner) Closed(why conn.Close) {
	o.mu.Lock()
	o.why = why
	if !slices.Contains(o.diary, "closing") {
		o.t.Error("Closed came before Closing had returned")
	}
	o.mu.Unlock()
	line := fmt.Sprint("closed ", why.Code)
	if why.Clean {
		line += " clean"
	}
	o.turn(line, nil)
}

func isClosed(line string) bool { return strings.HasPrefix(line, "closed ") }

// await waits until what is asked of the diary holds.
func (o *owner) await(what string, holds func() bool) {
	o.t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		ok, changed := holds(), o.changed
		o.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			o.t.Fatalf("%s never came; the diary says %q", what, o.lines())
		}
	}
}

// expect waits for a line.
func (o *owner) expect(line string) {
	o.t.Helper()
	o.await(line, func() bool { return slices.Contains(o.diary, line) })
}

// expectDeaf waits until Deaf was called with err.
func (o *owner) expectDeaf(err error) {
	o.t.Helper()
	o.await("Deaf "+err.Error(), func() bool {
		return slices.ContainsFunc(o.deaf, func(e error) bool { return errors.Is(e, err) })
	})
}

// closed waits for the end and answers how it was.
func (o *owner) closed() conn.Close {
	o.t.Helper()
	o.await("Closed", func() bool { return slices.ContainsFunc(o.diary, isClosed) })
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.why
}

func (o *owner) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.diary)
}

// turns are the lines of the executor in their order, without an Ending that
// is no failure.
func (o *owner) turns() []string {
	return slices.DeleteFunc(o.lines(), func(l string) bool { return l == "closing" || strings.HasPrefix(l, "ending ") })
}

// verify checks what must be true of every diary in the end.
func (o *owner) verify() {
	count := func(is func(string) bool) (n int) {
		for _, l := range o.lines() {
			if is(l) {
				n++
			}
		}
		return n
	}
	for _, once := range []string{"opened", "closing"} {
		if n := count(func(l string) bool { return l == once }); n != 1 {
			o.t.Errorf("%q was called %d times: %q", once, n, o.lines())
		}
	}
	if n := count(isClosed); n != 1 {
		o.t.Errorf("Closed was called %d times: %q", n, o.lines())
	}
}
