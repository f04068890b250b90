package servers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// Variable makes the test's own program a server or a node: its value is what that
// is told, as JSON.
const Variable = "FINCH_TEST_NATS_SERVER"

// A playerSpec is the value of Variable.
type playerSpec struct {
	Server *serverSpec
	Node   *nodeSpec
}

// A serverSpec is what a server in a process of its own is told.
type serverSpec struct {
	Name   string
	Port   int
	Route  int
	Routes []int
	Dir    string
}

// Play is a server or a node until standard input ends, and returns the exit code.
// It is for the TestMain of a program that Variable makes one.
func Play() int {
	var spec playerSpec
	switch err := json.Unmarshal([]byte(os.Getenv(Variable)), &spec); {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	case spec.Node != nil:
		return playNode(*spec.Node)
	}
	return playServer(*spec.Server)
}

func playServer(spec serverSpec) int {
	var routes []string
	for _, port := range spec.Routes {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
	}
	o := &server.Options{
		ServerName: spec.Name, Host: "127.0.0.1", Port: spec.Port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: spec.Dir,
	}
	if len(routes) > 1 {
		o.Cluster = server.ClusterOpts{Name: "finch", Host: "127.0.0.1", Port: spec.Route}
		o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
	}
	s, err := server.NewServer(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	go s.Start()
	awaitEnd()
	s.Shutdown()
	return 0
}

// awaitEnd waits for the end of standard input, which is the end of whoever started
// this: nothing is left behind by a test that was killed.
func awaitEnd() {
	var b [1]byte
	os.Stdin.Read(b[:])
}

// play starts the test's own program as what the value of Variable says.
func play(t testing.TB, value []byte) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), Variable+"="+string(value))
	c.Stderr = os.Stderr
	if _, err := c.StdinPipe(); err != nil { // kept open until we end
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Processes are servers that can be killed.
type Processes struct {
	t     testing.TB
	specs []serverSpec
	runs  []*exec.Cmd
}

// NewProcesses starts n servers; one is no cluster.
func NewProcesses(t testing.TB, n int) *Processes {
	t.Helper()
	ports := FreePorts(t, 2*n)
	p := &Processes{t: t}
	for i := range n {
		p.specs = append(p.specs, serverSpec{Name: fmt.Sprintf("s%d", i), Port: ports[i], Route: ports[n+i], Routes: ports[n:], Dir: t.TempDir()})
		p.runs = append(p.runs, nil)
		p.Start(i)
	}
	t.Cleanup(func() {
		for i := range p.runs {
			p.Kill(i)
		}
	})
	return p
}

// Start starts one of the servers.
func (p *Processes) Start(i int) {
	p.t.Helper()
	spec, _ := json.Marshal(playerSpec{Server: &p.specs[i]})
	p.runs[i] = play(p.t, spec)
}

// Kill ends a server without a word.
func (p *Processes) Kill(i int) {
	if c := p.runs[i]; c != nil {
		c.Process.Kill()
		c.Wait()
		p.runs[i] = nil
	}
}

// URLs of all.
func (p *Processes) URLs() string {
	var list []string
	for _, s := range p.specs {
		list = append(list, fmt.Sprintf("nats://127.0.0.1:%d", s.Port))
	}
	return strings.Join(list, ",")
}
