package child

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// startWait is how long a program may take until it says that it serves.
const startWait = 20 * time.Second

// Options say what is started.
type Options struct {
	// Name is what errors call it; empty means the program's path.
	Name string
	// Program is the path of a file, or a name that is looked for on the PATH.
	Program string
	Args    []string
	// Env is beside the environment of this program, and wins.
	Env []string
	// Ready is what the program says when it serves: Start returns when it has said
	// a whole line that contains it. Empty means that Start waits for nothing.
	Ready string
	// Anywhere starts it on other systems than Linux too, where it goes on if this
	// program is killed. Otherwise Start is an error there.
	Anywhere bool
}

// A Process is one program that runs, or ran. Its standard input says nothing, and ends
// when this program does. Any goroutine may call its methods at
// any time; what makes no sense any more when it has ended is an error.
type Process struct {
	// Name is that of the options. Nobody may change it.
	Name string

	cmd  *exec.Cmd
	rest string // of the line that said that it serves
	said *said
	done chan struct{} // closed when it has ended
	err  error         // how; set before done is closed
}

// Start starts a program, and waits for what Options.Ready says: 20 seconds at most,
// after which the program is killed. The error then has what it said.
func Start(o Options) (*Process, error) {
	if o.Name == "" {
		o.Name = o.Program
	}
	p := &Process{Name: o.Name, said: newSaid(o.Ready), done: make(chan struct{})}
	p.cmd = exec.Command(o.Program, o.Args...)
	p.cmd.Env = append(os.Environ(), o.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if _, err := p.cmd.StdinPipe(); err != nil { // open until this program ends
		return nil, err
	}
	p.cmd.WaitDelay = time.Second // for programs that it has started, and that hold its output
	if err := start(p.cmd, o.Anywhere); err != nil {
		return nil, fmt.Errorf("failed to start %s: %w", p.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		ended()
		close(p.done)
	}()
	if o.Ready == "" {
		return p, nil
	}
	late := time.NewTimer(startWait)
	defer late.Stop()
	select {
	case p.rest = <-p.said.found:
		return p, nil
	case <-p.done:
		return nil, p.over()
	case <-late.C:
		p.Kill()
		return nil, fmt.Errorf("%s did not say %q within %v:\n%s", p.Name, o.Ready, startWait, p.Said())
	}
}

// over is the error of who waits for a process that has ended.
func (p *Process) over() error {
	how := "without an error"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s has ended: %s\n%s", p.Name, how, p.Said())
}

// Ready is what followed Options.Ready in its line.
func (p *Process) Ready() string { return p.rest }

// ID is the number of the process.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Ended tells whether it has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Done is closed when it has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Await calls ask again and again until it answers no error. It gives up when ctx
// ends, with the last error of ask, and at once when the process has ended; its
// error has what the process said.
func (p *Process) Await(ctx context.Context, ask func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if p.Ended() { // somebody else may answer in its place
			return p.over()
		}
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w\n%s", p.Name, err, p.Said())
		case <-time.After(pause):
		}
	}
}

// Kill ends it without a word, paused or not, and waits until it has ended. It does
// nothing when that is so already.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
}

// Stop asks it to end, as SIGTERM does, and waits. It answers how the process ended;
// one that takes longer is killed, which is an error.
func (p *Process) Stop(within time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-p.done:
		return p.err
	case <-late.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %v", p.Name, within)
	}
}

// Pause stops it in its tracks, with all of its connections open. Systems without
// such a signal answer an error.
func (p *Process) Pause() error { return p.signal(pause) }

// Resume lets a process go on that was paused.
func (p *Process) Resume() error { return p.signal(resume) }

// Said is the end of what it said on standard output and standard error: the last
// 64 KB at least, and what it has said since a crash, as far as that is kept.
func (p *Process) Said() string { return p.said.String() }

// Crash is what it said from the first sign of a crash on: a data race that the race
// detector found, or what ends a program of Go. It is empty if there was none.
func (p *Process) Crash() string { return p.said.crashed() }
