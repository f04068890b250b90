package child

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// The kernel ties a process to the thread that started it, and kills it when that
// thread ends, not when the program does. So one thread starts them all, and is
// held as long as one of them runs.
var thread struct {
	mu       sync.Mutex
	children int // that run; the thread is held as long as there are some
	starting chan starting
}

type starting struct {
	cmd *exec.Cmd
	err chan error
}

// start starts a program that the kernel kills when this one ends. Who has waited
// for its end calls ended.
func start(cmd *exec.Cmd, _ bool) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s := starting{cmd, make(chan error)}
	thread.mu.Lock()
	defer thread.mu.Unlock()
	if thread.children == 0 {
		thread.starting = make(chan starting)
		go hold(thread.starting)
	}
	thread.children++
	thread.starting <- s
	err := <-s.err
	if err != nil {
		forget()
	}
	return err
}

// hold starts what it is given, on one thread until there is nothing more.
func hold(all <-chan starting) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for s := range all {
		s.err <- s.cmd.Start()
	}
}

// ended says that a child runs no more.
func ended() {
	thread.mu.Lock()
	defer thread.mu.Unlock()
	forget()
}

func forget() {
	if thread.children--; thread.children == 0 {
		close(thread.starting)
	}
}
