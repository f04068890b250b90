package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

// patience is how long a run waits for messages that do not come.
const patience = 2 * time.Second

func run(t *testing.T, p bench.Plan) *bench.Result {
	t.Helper()
	if p.Timeout == 0 {
		p.Timeout = 20 * time.Second // of which only what is lost or broken takes any
	}
	if p.Duration == 0 {
		p.Duration = 150 * time.Millisecond
	}
	r, err := bench.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFaultsOfAnEchoAreFound(t *testing.T) {
	tests := []struct {
		name  string
		serve answer
		want  func(f *bench.Faults) *uint64 // the only fault; nil = none
	}{
		{"honest", honest, nil},
		{"loses", loses, func(f *bench.Faults) *uint64 { return &f.Lost }},
		{"doubles", doubles, func(f *bench.Faults) *uint64 { return &f.Duplicated }},
		{"reorders", reorders, func(f *bench.Faults) *uint64 { return &f.Reordered }},
		{"corrupts", corrupts, func(f *bench.Faults) *uint64 { return &f.Corrupt }},
		{"chatters", chatters, func(f *bench.Faults) *uint64 { return &f.Unexpected }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newBadServer(t, &badServer{answer: tt.serve})
			r := run(t, bench.Plan{Scenario: bench.Echo, URL: s.url, Sockets: 3, Rate: 2000, Timeout: patience})
			faults := r.Faults
			if tt.want != nil {
				n := tt.want(&faults)
				if *n == 0 {
					t.Errorf("the fault was not found in %d messages", r.Sent)
				}
				if got := s.faults.Load(); uint64(got) != *n {
					t.Errorf("%d faults were found of %d", *n, got)
				}
				*n = 0
				if (bench.Bounds{}).Check(r) == nil {
					t.Error("the result passes")
				}
			} else if err := (bench.Bounds{}).Check(r); err != nil {
				t.Error(err)
			}
			if faults != (bench.Faults{}) {
				t.Errorf("other faults were found: %+v", faults)
			}
			if r.Sent < 100 {
				t.Errorf("only %d messages were sent", r.Sent)
			}
		})
	}
}

func TestFaultsOfAFanoutAreFound(t *testing.T) {
	t.Parallel()
	s := newBadServer(t, &badServer{skip: true})
	r := run(t, bench.Plan{Scenario: bench.Fanout, URL: s.url, Sockets: 8, Rate: 1000, Publishers: 3, Timeout: patience})
	if got := uint64(s.faults.Load()); got == 0 || r.Faults != (bench.Faults{Lost: got}) {
		t.Errorf("the server lost %d, and found were %+v", got, r.Faults)
	}
}

func TestAnHonestFanoutIsFound(t *testing.T) {
	for _, p := range []bench.Plan{{InFlight: 1}, {InFlight: 16}, {Rate: 500}, {InFlight: 16, Publishers: 2}} {
		s := newBadServer(t, &badServer{})
		p.Scenario, p.URL, p.Sockets = bench.Fanout, s.url, 8
		r := run(t, p)
		if err := (bench.Bounds{}).Check(r); err != nil {
			t.Error(err)
		}
		if r.Received != 8*r.Sent || r.Sent == 0 {
			t.Errorf("%d sent to 8 sockets, %d received", r.Sent, r.Received)
		}
	}
}

// Members that are let in a while after their handshake miss nothing that counts.
func TestAFanoutWaitsUntilEverybodyIsIn(t *testing.T) {
	s := newBadServer(t, &badServer{late: 150 * time.Millisecond})
	r := run(t, bench.Plan{Scenario: bench.Fanout, URL: s.url, Sockets: 8, InFlight: 4})
	if err := (bench.Bounds{}).Check(r); err != nil {
		t.Error(err, r.ErrorCounts)
	}
}

func TestAnOpeningThatLooksLikeItsAnswerIsNotTakenForIt(t *testing.T) {
	s := newBadServer(t, &badServer{answer: honest, opens: true})
	r := run(t, bench.Plan{Scenario: bench.Echo, URL: s.url, Protocol: "socket.io", Sockets: 3, InFlight: 4})
	if err := (bench.Bounds{}).Check(r); err != nil {
		t.Error(err, r.ErrorCounts)
	}
}

// A server that stops for a while is late with all that was due in that while. A
// generator that waits for the answer before it sends the next message would see
// one late message for each socket.
func TestAStallIsChargedToAllThatWasDueInIt(t *testing.T) {
	const stall, rate = 300 * time.Millisecond, 1000
	s := newBadServer(t, &badServer{answer: honest, stall: stall})
	r := run(t, bench.Plan{Scenario: bench.Echo, URL: s.url, Sockets: 2, Rate: rate, Duration: 500 * time.Millisecond})
	var late int64
	for _, b := range r.Latency.Buckets {
		if b.UpTo > 100*time.Millisecond {
			late += b.Count
		}
	}
	// Due in the stall were 300, of which 200 waited for more than 100 ms.
	if late < 150 {
		t.Errorf("%d of %d messages were more than 100 ms late, want about 200", late, r.Latency.Count)
	}
	if r.Latency.Max < stall*9/10 {
		t.Errorf("the latest was %v late, want %v", r.Latency.Max, stall)
	}
	if r.Faults.Sum() != 0 {
		t.Errorf("faults: %+v", r.Faults)
	}
}

func TestSocketsThatCannotOpenAreErrors(t *testing.T) {
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	url := "ws" + strings.TrimPrefix(refusing.URL, "http")
	_, err := bench.Run(t.Context(), bench.Plan{Scenario: bench.Connect, URL: url, Sockets: 3})
	if err == nil || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("got %v", err)
	}
	refusing.Close()
	_, err = bench.Run(t.Context(), bench.Plan{Scenario: bench.Connect, URL: url, Sockets: 3})
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestSocketsThatTheServerDropsAreErrors(t *testing.T) {
	s := newBadServer(t, &badServer{answer: drops})
	r := run(t, bench.Plan{Scenario: bench.Echo, URL: s.url, Sockets: 4, InFlight: 2})
	if r.Errors != 4 || len(r.ErrorCounts) != 1 || !strings.Contains(r.ErrorCounts[0].Error, "1011") {
		t.Errorf("%d errors: %+v", r.Errors, r.ErrorCounts)
	}
	if r.Faults.Sum() != 0 {
		t.Errorf("what a dropped socket did not get counts twice: %+v", r.Faults)
	}
}

func TestARunStopsWithItsContext(t *testing.T) {
	s := newBadServer(t, &badServer{answer: honest})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := bench.Run(ctx, bench.Plan{Scenario: bench.Echo, URL: s.url, Sockets: 1, Duration: time.Hour}); err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

// serveFinch serves what `finch bench serve` serves.
func serveFinch(t *testing.T, engine string) string {
	t.Helper()
	app, err := bench.NewServer(bench.ServerOptions{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(app)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func TestEveryScenarioRunsAgainstFinch(t *testing.T) {
	for _, engine := range []string{"epoll", "portable"} {
		t.Run(engine, func(t *testing.T) { runEveryScenario(t, serveFinch(t, engine)) })
	}
}

func runEveryScenario(t *testing.T, url string) {
	settle := strings.Replace(url, "ws", "http", 1) + "/settle"
	for _, p := range []bench.Plan{
		{Scenario: bench.Echo, URL: url + "/echo", InFlight: 16},
		{Scenario: bench.Echo, URL: url + "/echo", Rate: 500, Binary: true},
		{Scenario: bench.Echo, URL: url + "/ws", Protocol: "finch"},
		{Scenario: bench.Echo, URL: url + "/ws", Protocol: "finch", Binary: true},
		{Scenario: bench.Fanout, URL: url + "/ws", Protocol: "finch", InFlight: 4},
		{Scenario: bench.Fanout, URL: url + "/ws", Protocol: "finch", Rate: 200, Binary: true, Warmup: 20 * time.Millisecond},
		{Scenario: bench.Fanout, URL: url + "/room", Protocol: "finch-room", InFlight: 4},
		{Scenario: bench.Fanout, URL: url + "/room", Protocol: "finch-publish", InFlight: 4},
		{Scenario: bench.Fanout, URL: url + "/room?room=bench:{room}", Protocol: "finch-publish", Rooms: 3, InFlight: 2},
		{Scenario: bench.Fanout, URL: url + "/room?room=bench:{room}", Protocol: "finch-room", Rooms: 5, Rate: 200},
		{Scenario: bench.Slow, URL: url + "/ws", Protocol: "finch", Rate: 100, SlowSockets: 2},
		{Scenario: bench.Idle, URL: url + "/echo", Touch: true, Browser: true, Header: []string{"X-More: 1"}},
		{Scenario: bench.Connect, URL: url + "/ws", Protocol: "finch", Rate: 1000},
	} {
		p.Sockets, p.ServerPID, p.SettleURL = 10, os.Getpid(), settle
		r := run(t, p)
		if err := (bench.Bounds{}).Check(r); err != nil {
			t.Errorf("%s %s: %v %v", p.Scenario, p.URL, err, r.ErrorCounts)
		}
		if r.Opened != 10 || r.Handshake.Count != 10 {
			t.Errorf("%s %s: %d sockets opened, %d handshakes", p.Scenario, p.URL, r.Opened, r.Handshake.Count)
		}
		if c := r.Server; c == nil || c.RSSBefore <= 0 || c.RSSAfter <= 0 || c.OpenCPU <= 0 || p.Scenario != bench.Idle && c.CPUPerUnit <= 0 {
			t.Errorf("%s %s: the server's cost is %+v", p.Scenario, p.URL, c)
		}
		var table bytes.Buffer
		if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), "server CPU") {
			t.Errorf("the table: %v\n%s", err, &table)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
}

func TestScenariosRunUnderTLS(t *testing.T) {
	app, err := bench.NewServer(bench.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(app)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	url := "wss" + strings.TrimPrefix(s.URL, "https")
	for _, p := range []bench.Plan{
		{Scenario: bench.Echo, URL: url + "/echo", InFlight: 16},
		{Scenario: bench.Echo, URL: url + "/echo", Size: 1 << 20, InFlight: 2},
		{Scenario: bench.Fanout, URL: url + "/ws", Protocol: "finch", InFlight: 4},
		{Scenario: bench.Slow, URL: url + "/ws", Protocol: "finch", Rate: 100},
		{Scenario: bench.Idle, URL: url + "/echo", Touch: true, ServerPID: os.Getpid(), SettleURL: s.URL + "/settle"},
		{Scenario: bench.Connect, URL: url + "/echo", Rate: 200},
	} {
		p.Sockets, p.InsecureSkipVerify = 10, true
		r := run(t, p)
		if err := (bench.Bounds{}).Check(r); err != nil {
			t.Errorf("%s: %v %v", p.Scenario, err, r.ErrorCounts)
		}
	}
	_, err = bench.Run(t.Context(), bench.Plan{Scenario: bench.Connect, URL: url + "/echo", Sockets: 2})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody signed: %v", err)
	}
}

func TestTheServerSendsBackSixteenMegabytes(t *testing.T) {
	for _, binary := range []bool{false, true} {
		url := serveFinch(t, map[bool]string{false: "portable", true: "epoll"}[binary])
		r := run(t, bench.Plan{Scenario: bench.Echo, URL: url + "/echo", Sockets: 1, Size: 16 << 20, Duration: time.Nanosecond, Binary: binary})
		if err := (bench.Bounds{}).Check(r); err != nil || r.Received != 1 {
			t.Errorf("%d messages received: %v", r.Received, err)
		}
	}
}

func TestSlowSocketsAreCountedByTheirEndAndHarmNobody(t *testing.T) {
	m := finch.NewSocketManager(&finch.SocketManagerOptions{
		Limits: finch.Limits{QueueBytes: 1 << 20},
		Routes: map[string]finch.SocketEvent{
			"all": {OnMessage: func(_ context.Context, s *finch.Socket, m *finch.Message) error {
				return s.Manager().SendToAll("all", m.Data)
			}},
		},
	})
	s := httptest.NewUnstartedServer(m)
	s.Config.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		_ = nc.(*net.TCPConn).SetWriteBuffer(64 << 10) // or the kernel would take it all
		return ctx
	}
	s.Start()
	defer s.Close()
	r := run(t, bench.Plan{
		Scenario: bench.Slow, URL: "ws" + strings.TrimPrefix(s.URL, "http"), Protocol: "finch",
		Sockets: 6, SlowSockets: 2, Size: 16 << 10, Rate: 150, Duration: 900 * time.Millisecond,
	})
	if err := (bench.Bounds{}).Check(r); err != nil {
		t.Error(err, r.ErrorCounts)
	}
	var n int
	for _, count := range r.SlowClosed {
		n += count
	}
	if n != 2 || r.SlowClosed["kept"] != 0 {
		t.Errorf("of two slow sockets became: %v", r.SlowClosed)
	}
}

func TestAProcessThatIsNotThereCannotBeMeasured(t *testing.T) {
	if _, err := bench.OpenProcess(1<<22+1, "", false); err == nil {
		t.Error("a process that cannot be was measured")
	}
	p, err := bench.OpenProcess(os.Getpid(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	before, err := p.CPU()
	for end := time.Now().Add(20 * time.Millisecond); err == nil && time.Now().Before(end); {
	}
	after, _ := p.CPU()
	if err != nil || after <= before {
		t.Errorf("CPU went from %v to %v: %v", before, after, err)
	}
}
