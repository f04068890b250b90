package bench_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

func goodPlan() bench.Plan {
	return bench.Plan{Scenario: bench.Fanout, URL: "ws://127.0.0.1:3000/ws", Sockets: 10, Duration: time.Second}
}

func TestPlansThatCannotBeAreRefusedWithTheReason(t *testing.T) {
	tests := []struct {
		name   string
		change func(p *bench.Plan)
		want   string
	}{
		{"good", func(p *bench.Plan) {}, ""},
		{"no URL", func(p *bench.Plan) { p.URL = "" }, "--url ws://"},
		{"TLS", func(p *bench.Plan) { p.URL = "wss://127.0.0.1:3000/ws" }, ""},
		{"HTTP", func(p *bench.Plan) { p.URL = "http://127.0.0.1" }, "ws://HOST:PORT/PATH"},
		{"unknown protocol", func(p *bench.Plan) { p.Protocol = "mqtt" }, "it is one of centrifuge, finch"},
		{"binary socket.io", func(p *bench.Plan) { p.Protocol, p.Binary = "socket.io", true }, "no binary frames"},
		{"no sockets", func(p *bench.Plan) { p.Sockets = 0 }, "--sockets 0"},
		{"negative rate", func(p *bench.Plan) { p.Rate = -1 }, "--rate -1"},
		{"too much in flight", func(p *bench.Plan) { p.InFlight = 5000 }, "--in-flight 5000"},
		{"rooms without a place for their number", func(p *bench.Plan) { p.Rooms = 2 }, "{room}"},
		{"more rooms than sockets", func(p *bench.Plan) { p.Rooms, p.URL = 11, p.URL+"?room={room}" }, "--rooms 11"},
		{"no room for the stamp", func(p *bench.Plan) { p.Size = 10 }, "--size 10"},
		{"no time", func(p *bench.Plan) { p.Duration = 0 }, "--duration"},
		{"all are slow", func(p *bench.Plan) { p.Scenario, p.SlowSockets = bench.Slow, 10 }, "do not fit into 10 sockets"},
		{"broken header", func(p *bench.Plan) { p.Header = []string{"X"} }, "--header"},
		{"two headers in one", func(p *bench.Plan) { p.Header = []string{"X: a\r\nY: b"} }, "--header"},
		{"settle by file", func(p *bench.Plan) { p.SettleURL = "file:///x" }, "--settle-url"},
		{"no scenario", func(p *bench.Plan) { p.Scenario = "sleep" }, `"sleep"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := goodPlan()
			tt.change(&p)
			_, err := p.Ready()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestBoundsThatAreNotKeptAreAllNamed(t *testing.T) {
	r := &bench.Result{Scenario: bench.Echo, Sent: 100, Received: 97, Errors: 2}
	r.Faults = bench.Faults{Lost: 3, Duplicated: 4, Reordered: 5, Corrupt: 6, Unexpected: 7}
	r.Latency.P99 = 2 * time.Second
	err := bench.Bounds{Errors: 1, P99: time.Second}.Check(r)
	if err == nil {
		t.Fatal("a result full of faults passed")
	}
	for _, want := range []string{"3 messages lost; 97 arrived", "4 messages duplicated; 97 arrived", "5 messages reordered; 97 arrived", "6 messages corrupt; 97 arrived", "7 messages unexpected; 97 arrived", "2 sockets had errors", "2.00 s at p99"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	good := &bench.Result{Scenario: bench.Echo, Sent: 100, Received: 100, Errors: 1}
	if err := (bench.Bounds{Errors: 1, P99: time.Second}).Check(good); err != nil {
		t.Errorf("a good result: %v", err)
	}
	if err := (bench.Bounds{}).Check(&bench.Result{Scenario: bench.Echo, Sent: 1}); err == nil {
		t.Error("a server that never answered passed")
	}
}

func TestServerRefusesEnginesThatAreNotThere(t *testing.T) {
	for _, tt := range []struct {
		options bench.ServerOptions
		want    string // empty: it is served
	}{
		{bench.ServerOptions{}, ""},
		{bench.ServerOptions{Engine: "portable", TLS: true}, ""},
		{bench.ServerOptions{Engine: "epoll", TLS: true}, map[bool]string{false: "needs Linux"}[runtime.GOOS == "linux"]},
		{bench.ServerOptions{Engine: "io_uring"}, "epoll or portable"},
	} {
		_, err := bench.NewServer(tt.options)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.options, err, tt.want)
		}
	}
}
