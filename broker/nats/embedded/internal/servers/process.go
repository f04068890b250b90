package servers

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/finch-go/finch/internal/child"
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
		ServerName: spec.Name, Host: "127.0.0.1", Port: spec.Port, NoSigs: true,
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
	s.ConfigureLogger()
	s.Start()
	if !s.ReadyForConnections(Patience) {
		fmt.Fprintln(os.Stderr, "the server listens to nobody")
		return 2
	}
	fmt.Println(serves)
	awaitEnd()
	s.Shutdown()
	return 0
}

// serves is what a process says when it does.
const serves = "serves"

// awaitEnd waits for the end of standard input, which is the end of whoever started
// this: nothing is left behind by a test that was killed.
func awaitEnd() {
	var b [1]byte
	os.Stdin.Read(b[:])
}

// play starts the test's own program as what the value of Variable says, and waits
// until it serves.
func play(name string, spec playerSpec) (*child.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return child.Start(child.Options{Name: name, Program: program, Env: []string{Variable + "=" + string(value)}, Ready: serves, Anywhere: true})
}

// Processes are servers that can be killed.
type Processes struct {
	t     testing.TB
	specs []serverSpec
	runs  []*child.Process
}

// NewProcesses starts n servers; one is no cluster. What they said is told if the
// test fails.
func NewProcesses(t testing.TB, n int) *Processes {
	t.Helper()
	ports := FreePorts(t, 2*n)
	p := &Processes{t: t, runs: make([]*child.Process, n)}
	for i := range n {
		p.specs = append(p.specs, serverSpec{Name: fmt.Sprintf("s%d", i), Port: ports[i], Route: ports[n+i], Routes: ports[n:], Dir: t.TempDir()})
		p.Start(i)
	}
	t.Cleanup(func() {
		for _, run := range p.runs {
			if run == nil { // it could not be started
				continue
			}
			run.Kill()
			if t.Failed() {
				t.Logf("%s said:\n%s", run.Name, run.Said())
			}
		}
	})
	return p
}

// Start starts one of the servers, and waits until it listens. It tries for a while: a
// port may be held by what is about to end.
func (p *Processes) Start(i int) {
	p.t.Helper()
	var err error
	if !Within(Patience/3, func() bool {
		p.runs[i], err = play(p.specs[i].Name, playerSpec{Server: &p.specs[i]})
		return err == nil
	}) {
		p.t.Fatal(err)
	}
}

// Kill ends a server without a word.
func (p *Processes) Kill(i int) { p.runs[i].Kill() }

// Restart starts a server again that was killed, and waits until all replicas of
// streams are current. One that does not catch up is started once more, as an operator
// would: how servers catch up is between them.
func (p *Processes) Restart(i int, conn *natsgo.Conn, streams ...string) {
	p.t.Helper()
	for range 3 {
		p.Start(i)
		if Within(Patience/3, func() bool { return AllCurrent(conn, streams...) }) {
			return
		}
		p.t.Logf("%s does not catch up; it said:\n%s", p.runs[i].Name, p.runs[i].Said())
		p.Kill(i)
	}
	p.t.Fatalf("the replicas of %q did not become current within %v", streams, Patience)
}

// URLs of all.
func (p *Processes) URLs() string {
	var list []string
	for _, s := range p.specs {
		list = append(list, fmt.Sprintf("nats://127.0.0.1:%d", s.Port))
	}
	return strings.Join(list, ",")
}
