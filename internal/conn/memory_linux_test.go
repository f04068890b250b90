package conn_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// A test of memory needs its clients in another process: this binary, run
// again with one of these set.
const (
	crowdVar = "FINCH_TEST_CROWD" // "ADDRESS COUNT": see crowd
	scantVar = "FINCH_TEST_SCANT" // see scant
)

func init() {
	if to := os.Getenv(crowdVar); to != "" {
		crowd(to)
		os.Exit(0)
	}
	if os.Getenv(scantVar) != "" {
		if err := scant(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// again runs this binary again.
func again(env string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env)
	cmd.Stderr = os.Stderr
	return cmd
}

// crowd connects many clients. For each line on its input each of them sends
// a message of 1 KB and reads the answer; then it prints a line. It ends with
// its input.
func crowd(to string) {
	var addr string
	var count int
	fmt.Sscan(to, &addr, &count)
	clients := make([]net.Conn, count)
	for i := range clients {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		clients[i] = nc
	}
	fmt.Println("connected")
	question := masked(frame.Binary, filler(1000))
	answer := make([]byte, len(frame.AppendFrame(nil, frame.Binary, make([]byte, 1000))))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		for _, nc := range clients {
			nc.Write(question)
		}
		for _, nc := range clients {
			if _, err := io.ReadFull(nc, answer); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		fmt.Println("answered")
	}
}

// echoing owns a connection and answers what it gets; it is small.
type echoing struct {
	stamped
	c *conn.Conn
}

func (o *echoing) Received(op frame.Opcode, payload []byte) {
	o.c.Send(frame.AppendFrame(nil, op, payload))
}

func TestASocketAtRestIsSmall(t *testing.T) {
	if conn.SocketSize > 256 {
		t.Errorf("a socket is a struct of %d bytes", conn.SocketSize)
	}
	const count, most = 2000, 900
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := alone(t)
	cfg := conn.Config{}.Ready()
	conns := make([]*conn.Conn, 0, count+1)
	over := make(chan struct{}, count+1)
	accept := func() {
		nc, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		o := &echoing{}
		o.c = s.engine.New(nc, nil, cfg, &counting{echoing: o, over: over})
		conns = append(conns, o.c)
		o.c.Start(nil)
	}
	first, err := net.Dial("tcp", l.Addr().String()) // the poller's own needs
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	accept()

	before, goroutines := inUse(), runtime.NumGoroutine()
	cmd := again(crowdVar + "=" + l.Addr().String() + " " + strconv.Itoa(count))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	expect := func(line string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != line {
			t.Fatalf("the clients say %q, not %q", lines.Text(), line)
		}
	}
	for range count {
		accept()
	}
	expect("connected")
	weigh := func(when string) {
		t.Helper()
		until(t, func() bool { return runtime.NumGoroutine() <= goroutines+10 }) // those of the pipe
		if each := (inUse() - before) / count; each > most {
			t.Errorf("%s, a socket takes %d bytes, want at most %d", when, each, most)
		} else {
			t.Logf("%s, a socket takes %d bytes; its struct is %d", when, each, conn.SocketSize)
		}
	}
	weigh("before it spoke")
	io.WriteString(in, "\n")
	expect("answered")
	weigh("after an echo of 1 KB")
	runtime.KeepAlive(conns)
	in.Close()
	first.Close()
	for range count + 1 {
		<-over
	}
}

// counting tells a common channel when it is over.
type counting struct {
	*echoing
	over chan struct{}
}

func (o *counting) Closed(conn.Close) { o.over <- struct{}{} }

// inUse answers the bytes of heap and stacks that are in use.
func inUse() int {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// TestWithoutDescriptorsAConnectionIsStillServed takes the last descriptor
// away, so that the epoll engine cannot duplicate the connection's.
func TestWithoutDescriptorsAConnectionIsStillServed(t *testing.T) {
	cmd := again(scantVar + "=1")
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// scant serves a connection when there is no descriptor left.
func scant() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	server, err := l.Accept()
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	limit.Cur = uint64(len(open) - 1) // without the directory itself
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	o := &echoing{stamped: stamped{over: make(chan struct{})}}
	o.c = conn.Auto.New(server, nil, conn.Config{}.Ready(), o)
	if _, epoll := conn.Turns(o.c); epoll {
		return fmt.Errorf("there was a descriptor left")
	}
	o.c.Start(nil)
	if _, err := client.Write(masked(frame.Text, "hello")); err != nil {
		return err
	}
	answer := make([]byte, 7)
	if _, err := io.ReadFull(client, answer); err != nil {
		return err
	}
	client.Close()
	<-o.over
	return nil
}
