package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/scripted"
)

const (
	// controlPath is where drivers connect to.
	controlPath = "/control"
	// startPatience is how long a driver may take to say that it is ready: an
	// interpreter on a busy machine is slow.
	startPatience = 60 * time.Second
	// endPatience is how long a driver may take to exit once the control
	// connection is closed, before it is killed.
	endPatience = time.Second
)

// ErrDriverEnded is what everything fails with that waits for a driver which is
// gone.
var ErrDriverEnded = errors.New("the driver ended or closed its control connection")

// A Driver is a running driver. It may be used by several scenarios at a time.
type Driver struct {
	// Name is what it calls itself.
	Name string

	lacks   map[string]bool
	control *scripted.Conn
	process *exec.Cmd
	exited  chan struct{}
	trace   func(string)

	mu      sync.Mutex // guards everything below
	clients map[string]*inbox
	ended   bool
}

// StartDriver starts a program, split into words at blanks, and waits until it
// is ready. What it prints goes to out. trace, if not nil, is called with every
// command and report.
func StartDriver(ctx context.Context, server *scripted.Server, command string, out io.Writer, trace func(string)) (*Driver, error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return nil, errors.New("there is no command that starts a driver")
	}
	door := server.Door(controlPath)
	process := exec.Command(words[0], words[1:]...)
	process.Env = append(os.Environ(), "FINCH_SUITE_CONTROL="+server.URL(controlPath))
	process.Stdout, process.Stderr = out, out
	process.WaitDelay = endPatience
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the driver: %w", err)
	}
	d := &Driver{process: process, exited: make(chan struct{}), trace: trace, lacks: map[string]bool{}, clients: map[string]*inbox{}}
	go func() {
		process.Wait()
		close(d.exited)
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("it did not connect and report ready in time"))
	defer cancel()
	go func() {
		select {
		case <-d.exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := d.greet(ctx, door); err != nil {
		d.Close()
		return nil, fmt.Errorf("the driver %q is of no use: %w", command, err)
	}
	go d.read()
	return d, nil
}

// greet takes the driver's connection and its first report.
func (d *Driver) greet(ctx context.Context, door *scripted.Door) (err error) {
	if d.control, err = door.Accept(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			return errors.New("it exited before it connected to FINCH_SUITE_CONTROL")
		}
		return err
	}
	m, err := d.control.Next(ctx)
	if err != nil {
		return err
	}
	ready, err := ParseReport([]byte(m.Text))
	if err != nil {
		return err
	}
	if ready.Saw != "ready" || ready.Name == "" {
		return fmt.Errorf("its first report is not ready with a name, but %s", m.Text)
	}
	d.Name = ready.Name
	for _, feature := range ready.Lacks {
		d.lacks[feature] = true
	}
	return nil
}

// Close closes the control connection and waits until the program has exited,
// if need be by force.
func (d *Driver) Close() {
	d.end()
	if d.control != nil {
		d.control.Close(1000, "the suite is over")
	}
	select {
	case <-d.exited:
		return
	case <-time.After(endPatience):
	}
	d.process.Process.Kill()
	<-d.exited
}

// Ended reports whether the driver is gone.
func (d *Driver) Ended() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

// Lacks returns those of the features that the client does not have.
func (d *Driver) Lacks(features []string) []string {
	var missing []string
	for _, f := range features {
		if d.lacks[f] {
			missing = append(missing, f)
		}
	}
	return missing
}

// read hands the reports to the clients that they are about.
func (d *Driver) read() {
	defer d.end()
	for {
		m, err := d.control.Next(context.Background())
		if err != nil {
			return
		}
		if d.trace != nil {
			d.trace("< " + m.Text)
		}
		r, err := ParseReport([]byte(m.Text))
		if err != nil {
			d.broken(err)
			return
		}
		d.mu.Lock()
		in := d.clients[r.Client]
		d.mu.Unlock()
		if in != nil { // else it is about a client that was forgotten
			in.add(r)
		}
	}
}

func (d *Driver) end() { d.broken(ErrDriverEnded) }

// broken ends the driver for everybody who waits for it.
func (d *Driver) broken(why error) {
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return
	}
	d.ended = true
	clients := d.clients
	d.clients = nil
	d.mu.Unlock()
	for _, in := range clients {
		in.fail(why)
	}
}

// open begins to listen for reports about a client. abort is called when there
// will be none.
func (d *Driver) open(client string, abort context.CancelCauseFunc) *inbox {
	in := newInbox(abort)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		in.fail(ErrDriverEnded)
		return in
	}
	d.clients[client] = in
	return in
}

func (d *Driver) close(client string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.clients, client)
}

// do sends a command.
func (d *Driver) do(command map[string]any) {
	text, err := json.Marshal(command)
	if err != nil {
		panic("stage: a command is no JSON: " + err.Error())
	}
	if d.trace != nil {
		d.trace("> " + string(text))
	}
	d.control.SendText(string(text))
}
