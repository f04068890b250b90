package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/finch-go/finch/bench/internal/peer"
)

// reference is the server whose cost is one in every ratio.
const reference = "finch"

// A subject is a server that is measured.
type subject struct {
	name    string // for flags; what people read stands in words
	version string
	// command starts it; --addr=HOST:PORT follows.
	command []string
	secure  []string // what command needs before the address to speak TLS; empty: it does not here
	echo    endpoint // sends back
	all     endpoint // hands on to everyone
	room    endpoint // hands on to a room, or to the one that a query names
	record  endpoint // records there
	tens    endpoint // lets sockets be in three rooms of ten
	rows    []string // empty: all
	reason  string   // why it cannot run here; empty: it can
}

// An endpoint is where a server does one kind of work.
type endpoint struct{ path, protocol string }

// ServerNames lists the subjects.
func ServerNames() []string {
	var names []string
	for _, s := range subjects(&tools{}) {
		names = append(names, s.name)
	}
	return names
}

// tools are the programs that a comparison needs.
type tools struct {
	root  string // of the repository
	self  string // this program, for the Go peers
	finch string // the load generator, and Finch itself
	node  string // empty: none
	bun   string
	epoll bool // this build of Finch has the epoll engine
	note  string
}

func subjects(t *tools) []subject {
	raw := func(path string) endpoint { return endpoint{path, "raw"} }
	serve := func(flags ...string) []string {
		return append([]string{t.finch, "bench", "serve"}, flags...)
	}
	script := func(name string) string { return filepath.Join(t.root, "bench", "node", name) }
	ours := endpoint{"/ws", "finch"}
	underTLS := []string{"--tls"}
	all := []subject{
		{
			name: reference, command: serve(), secure: underTLS, echo: raw("/echo"), all: ours,
			room: endpoint{"/room", "finch-room"}, record: endpoint{"/room", "finch-publish"}, tens: endpoint{"/tens", "finch"},
		},
		{name: "finch-envelope", command: serve(), echo: ours, all: ours, rows: []string{"echo-1", "echo-16", "spoken"}},
		{name: "finch-portable", command: serve("--engine", "portable"), secure: underTLS, echo: raw("/echo"), all: ours},
		{name: "raw", room: raw("/all"), rows: []string{"echo-1", "echo-16", "fanout-1", "fanout-16", "fanout-15000", "room-10", "room-15000", "rooms-100", "rooms-1000"}},
		{name: "bun", version: packageVersion(t, "bun"), command: []string{t.bun, "run", script("bun.js")}},
		{name: "gws"},
		{name: "gorilla"},
		{name: "melody"},
		{name: "coder"},
		{name: "centrifuge", echo: endpoint{"/echo", "centrifuge"}, all: endpoint{"/all", "centrifuge"}},
		{name: "ws", version: packageVersion(t, "ws"), command: []string{t.node, "--expose-gc", script("ws.mjs")}},
		{
			name: "socket.io", version: packageVersion(t, "socket.io"),
			command: []string{t.node, "--expose-gc", script("socketio.mjs")},
			echo:    endpoint{"/socket.io/?EIO=4&transport=websocket", "socket.io"}, all: endpoint{"/socket.io/?EIO=4&transport=websocket", "socket.io"},
		},
	}
	for i := range all {
		s := &all[i]
		if s.command == nil {
			s.command, s.secure = []string{t.self, "peer", s.name}, underTLS
			s.version = peer.Version(s.name)
		}
		if s.echo.path == "" {
			s.echo, s.all = raw("/echo"), raw("/all")
		}
		switch {
		case s.command[0] == "":
			s.reason = t.note
		case s.name == "finch-portable" && !t.epoll:
			s.reason = reasonOneOnly
		}
	}
	return all
}

// takes reports whether the row is for this server.
func (s *subject) takes(r *row) bool {
	if r.secure && len(s.secure) == 0 || s.endpoint(r.at).path == "" {
		return false
	}
	return len(s.rows) == 0 || slices.Contains(s.rows, r.name)
}

// endpoint is where a row is measured; empty if the server has no such place.
func (s *subject) endpoint(at place) endpoint {
	switch at {
	case atAll:
		return s.all
	case atRoom:
		return s.room
	case atRooms:
		if s.room.path == "" {
			return s.room
		}
		return endpoint{s.room.path + "?room=bench:{room}", s.room.protocol}
	case atTens:
		return s.tens
	case atRecord:
		return s.record
	}
	return s.echo
}

// ready builds and installs what is needed, and says what is missing.
func ready(ctx context.Context, dir string, say func(string, ...any)) (*tools, error) {
	t := &tools{}
	var err error
	if t.root, err = repository(ctx); err != nil {
		return nil, err
	}
	if t.self, err = os.Executable(); err != nil {
		return nil, err
	}
	t.finch = filepath.Join(dir, "finch")
	say("building the load generator")
	build := exec.CommandContext(ctx, "go", "build", "-o", t.finch, "./cmd/finch")
	build.Dir = t.root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building ./cmd/finch: %w\n%s", err, out)
	}
	if t.epoll, err = hasEpoll(ctx, t.finch); err != nil {
		return nil, err
	}
	t.findNode(ctx, say)
	return t, nil
}

// repository is the folder of go.work.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOWORK").Output()
	work := strings.TrimSpace(string(out))
	if err != nil || work == "" || work == "off" {
		return "", errors.New("run this inside the repository, where go.work is: go run ./bench")
	}
	return filepath.Dir(work), nil
}

// hasEpoll asks the server for the engine; one that has it goes on serving.
func hasEpoll(ctx context.Context, finch string) (bool, error) {
	s, err := start(ctx, []string{finch, "bench", "serve", "--engine", "epoll"}, "")
	if err != nil {
		return false, ctx.Err()
	}
	return true, s.stop()
}

// findNode installs the Node peers; where that fails the note says why.
func (t *tools) findNode(ctx context.Context, say func(string, ...any)) {
	dir := filepath.Join(t.root, "bench", "node")
	node, err := exec.LookPath("node")
	if err != nil {
		t.note = reasonNoNode
		return
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		say("installing the Node peers (npm ci)")
		install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			t.note = fmt.Sprintf("npm ci failed: %v", err)
			say("%s\n%s", t.note, out)
			return
		}
	}
	t.node = node
	// Its installer moves the program there; where installers may not run it
	// stays in the package of the platform.
	places := []string{filepath.Join(dir, "node_modules", ".bin", "bun")}
	more, _ := filepath.Glob(filepath.Join(dir, "node_modules", "@oven", "*", "bin", "bun"))
	for _, place := range append(places, more...) {
		if exec.CommandContext(ctx, place, "--version").Run() == nil {
			t.bun = place
			return
		}
	}
	t.note = reasonNoBun
}

// packageVersion is the version of an installed npm package.
func packageVersion(t *tools, name string) string {
	b, err := os.ReadFile(filepath.Join(t.root, "bench", "node", "node_modules", name, "package.json"))
	if err != nil {
		return ""
	}
	var p struct{ Version string }
	if json.Unmarshal(b, &p) != nil {
		return ""
	}
	return p.Version
}
