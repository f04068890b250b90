package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	sockets "github.com/finch-go/finch" // its own name is a function of these tests
	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/internal/scripted"
	"github.com/finch-go/finch/protocol"
)

// command runs the program as a shell does.
func command(ctx context.Context, stdin string, args ...string) (stdout, stderr string, status int) {
	var out, notes bytes.Buffer
	status = commandTo(ctx, &out, &notes, stdin, args...)
	return out.String(), notes.String(), status
}

func commandTo(ctx context.Context, out, notes io.Writer, stdin string, args ...string) (status int) {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(out)
	root.SetErr(notes)
	if err := root.ExecuteContext(ctx); err != nil {
		io.WriteString(notes, "finch: "+err.Error()+"\n")
		return exitStatus(err)
	}
	return 0
}

// serveRooms serves a manager with a room that keeps its messages, for whoever
// has the token "open sesame".
func serveRooms(t *testing.T) (url string, m *sockets.SocketManager) {
	t.Helper()
	m = sockets.NewSocketManager(&sockets.SocketManagerOptions{
		Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (sockets.Identity, error) {
			if sockets.Token(r) == "open sesame" {
				return sockets.Identity{User: "ann"}, nil
			}
			return sockets.Identity{}, sockets.Errorf(401, "unauthorized", "who are you")
		},
	})
	m.DeclareRooms("chat:{id}", sockets.RoomOptions{HistorySize: 100, CanJoin: sockets.Anybody, CanPublish: sockets.AnyMember})
	sockets.OnRequest(m, "double", func(ctx context.Context, s *sockets.Socket, n int) (int, error) {
		if n < 0 {
			return 0, sockets.Errorf(422, "negative", "%d is negative\x1b[31m", n)
		}
		return 2 * n, nil
	})
	sockets.OnRequest(m, "reverse", func(ctx context.Context, s *sockets.Socket, b []byte) ([]byte, error) {
		return []byte{b[1], b[0]}, nil
	})
	sockets.On(m, "never", func(ctx context.Context, s *sockets.Socket, _ any) error { <-ctx.Done(); return nil })
	sockets.OnRequest(m, "text", func(ctx context.Context, s *sockets.Socket, text string) (string, error) { return text, nil })
	server := httptest.NewServer(m)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	t.Setenv("FINCH_TOKEN", "open sesame")
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/ws", m
}

func TestRequestPrintsTheAnswer(t *testing.T) {
	url, _ := serveRooms(t)
	for _, tt := range []struct {
		stdin  string
		args   []string
		stdout string
		status int
		says   string // on standard error
	}{
		{"", []string{"double", "21"}, "42\n", 0, ""},
		{"21", []string{"double", "-"}, "42\n", 0, ""},
		{"", []string{"text", "سلام", "--text"}, "\"سلام\"\n", 0, ""},
		{"ab", []string{"reverse", "-", "--binary"}, "ba", 0, ""},
		{"", []string{"finch.ping"}, "null\n", 0, ""},
		{"", []string{"double", "--", "-1"}, "", 1, `the server answered 422 negative: -1 is negative\x1b[31m`},
		{"", []string{"nowhere"}, "", 1, "404 unknown_path"},
		{"", []string{"never", "--timeout", "100ms"}, "", 4, "no answer in time"},
		{"", []string{"double", "twenty"}, "", 2, `the data is not JSON; as a text it is --text, or '"twenty"'`},
		{"", []string{"double", "--text"}, "", 2, "there is no data"},
		{"", []string{"double", "1", "--text", "--binary"}, "", 2, "either --text or --binary"},
		{"", []string{}, "", 2, "name a path"},
		{"", []string{"double", "1", "2"}, "", 2, "name a path"},
		{"", []string{"double", "--wat"}, "", 2, "unknown flag"},
		{"", []string{"double", "1", "--header", "none"}, "", 2, "Name: value"},
	} {
		args := append([]string{"request", "--url", url}, tt.args...)
		stdout, stderr, status := command(t.Context(), tt.stdin, args...)
		if stdout != tt.stdout || status != tt.status || !strings.Contains(stderr, tt.says) || tt.says == "" && stderr != "" {
			t.Errorf("%q printed %q and %q, status %d; want %q, %q, %d", tt.args, stdout, stderr, status, tt.stdout, tt.says, tt.status)
		}
	}
}

func TestWhatKeepsFromConnectingIsSaid(t *testing.T) {
	url, _ := serveRooms(t)
	t.Setenv("FINCH_TOKEN", "")
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	gone := "ws" + strings.TrimPrefix(closed.URL, "http")
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for _, tt := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--url", url}, 3, "asks who you are: give a token, with --token or in the environment as FINCH_TOKEN"},
		{[]string{"--url", url, "--token", "wrong"}, 3, "does not take this token"},
		{[]string{"--url", gone}, 3, "connection refused"},
		{[]string{"--url", "ws" + strings.TrimPrefix(other.URL, "http")}, 3, "404 Not Found"},
		{[]string{"--url", "localhost:3000"}, 2, "does not begin with ws://"},
	} {
		begun := time.Now()
		_, stderr, status := command(t.Context(), "", append([]string{"request", "double", "1"}, tt.args...)...)
		if status != tt.status || !strings.Contains(stderr, tt.says) {
			t.Errorf("%q: status %d, %q; want %d, %q", tt.args, status, stderr, tt.status, tt.says)
		}
		if took := time.Since(begun); took > 9*time.Second {
			t.Errorf("%q: that took %v", tt.args, took)
		}
	}
	if stdout, stderr, status := command(t.Context(), "", "request", "double", "1", "--url", url, "--token", "open sesame"); status != 0 || stdout != "2\n" {
		t.Errorf("--token: %q, %q, %d", stdout, stderr, status)
	}
}

func TestSendTellsWhatIsRefused(t *testing.T) {
	url, m := serveRooms(t)
	got := make(chan string, 4)
	sockets.On(m, "say", func(ctx context.Context, s *sockets.Socket, text string) error { got <- text; return nil })
	if stdout, stderr, status := command(t.Context(), "", "send", "--url", url, "say", `"salaam"`); status != 0 || stdout != "" || stderr != "" {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
	if text := <-got; text != "salaam" {
		t.Errorf("the server got %q", text)
	}
	for _, args := range [][]string{{"sya", `"salaam"`}, {"finch.joined", "1"}} {
		_, stderr, status := command(t.Context(), "", append([]string{"send", "--url", url}, args...)...)
		if status != 1 || !strings.Contains(stderr, "the server refused a message") {
			t.Errorf("%q: %q, status %d", args, stderr, status)
		}
	}
}

func TestPublishPrintsWhereItIsRecorded(t *testing.T) {
	url, m := serveRooms(t)
	var first, again struct {
		Position  string
		Duplicate bool
		Key       string
	}
	for _, into := range []any{&first, &again} {
		stdout, stderr, status := command(t.Context(), `{"text":"salaam"}`, "publish", "--url", url, "chat:7", "post", "-", "--key", "once")
		if status != 0 || json.Unmarshal([]byte(stdout), into) != nil {
			t.Fatalf("%q, %q, %d", stdout, stderr, status)
		}
	}
	if first.Position == "" || first.Key != "once" || first.Duplicate || !again.Duplicate || again.Position != first.Position {
		t.Errorf("twice the same: %+v, %+v", first, again)
	}
	n := 0
	for message, err := range m.Room("chat:7").History(t.Context(), sockets.Position{}) {
		if err != nil || message.Path != "post" || string(message.Data) != `{"text":"salaam"}` || message.From != "ann" {
			t.Errorf("recorded %+v, %v", message, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d messages were recorded", n)
	}
	for _, tt := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"elsewhere", "post", "1"}, 1, "room_not_declared"},
		{[]string{"chat:7"}, 2, "name a room, a path"},
		{[]string{"chat:7", "finch.post"}, 2, "is the framework's"},
		{[]string{"chat:7", "post", "2", "--key", "once"}, 1, "key_reused"},
	} {
		_, stderr, status := command(t.Context(), "", append([]string{"publish", "--url", url}, tt.args...)...)
		if status != tt.status || !strings.Contains(stderr, tt.says) {
			t.Errorf("%q: %q, status %d", tt.args, stderr, status)
		}
	}
}

// lineReader collects what a command prints while it runs.
type lineReader struct {
	mu   sync.Mutex
	text string
	more chan struct{}
}

func (l *lineReader) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(b)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

// await waits until n lines are there.
func (l *lineReader) await(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		l.mu.Lock()
		text := l.text
		l.mu.Unlock()
		if strings.Count(text, "\n") >= n {
			return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		}
		select {
		case <-l.more:
		case <-deadline:
			t.Fatalf("only this was printed: %q", text)
		}
	}
}

func TestTailPrintsARoomOverALostConnection(t *testing.T) {
	url, m := serveRooms(t)
	room := m.Room("chat:7")
	publish := func(n int) {
		if _, err := room.Publish(t.Context(), "post", n); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		publish(n)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, notes := &lineReader{more: make(chan struct{}, 1)}, &lineReader{more: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	go func() { ended <- commandTo(ctx, out, notes, "", "tail", "chat:7", "--last", "2", "--url", url) }()
	out.await(t, 2)
	publish(3)
	out.await(t, 3)
	for s := range m.Sockets() {
		s.Close(1013, "come back")
	}
	notes.await(t, 1)
	publish(4) // is missed, and comes
	lines := out.await(t, 4)
	for i, text := range lines {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil || string(l.Data) != []string{"1", "2", "3", "4"}[i] || l.Path != "post" || l.Room != "chat:7" || l.Position == "" {
			t.Errorf("line %d is %s, %v", i+1, text, err)
		}
	}
	if said := notes.await(t, 2); !strings.Contains(said[0], "the connection is lost (come back)") || !strings.Contains(said[1], "connected again") {
		t.Errorf("it said %q", said)
	}
	stop()
	if status := <-ended; status != 0 {
		t.Errorf("Ctrl-C ends it with %d", status)
	}
	if _, stderr, status := command(t.Context(), "", "tail", "elsewhere", "--url", url); status != 1 || !strings.Contains(stderr, "room_not_declared") {
		t.Errorf("a room that is none: %q, %d", stderr, status)
	}
	if _, stderr, status := command(t.Context(), "", "tail"); status != 2 || !strings.Contains(stderr, "name one room") {
		t.Errorf("no room: %q, %d", stderr, status)
	}
}

func TestTailTellsWhatCannotBeCaughtUp(t *testing.T) {
	server, err := scripted.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	door := server.Door("/ws")
	out, notes := &lineReader{more: make(chan struct{}, 1)}, &lineReader{more: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	go func() { ended <- commandTo(t.Context(), out, notes, "", "tail", "chat:7", "--url", server.URL("/ws")) }()
	conn, err := door.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer := func(path, data string) {
		m, err := conn.Next(t.Context())
		if err != nil || m.Path != path {
			t.Fatalf("got %v, %v, want %s", m, err, path)
		}
		conn.Answer(m, data)
	}
	answer(protocol.PathHello, `{"version":1}`)
	answer(protocol.PathJoin, `{"room":"chat:7","position":"e.1.a"}`)
	event := func(path, data string) {
		conn.Send(protocol.Envelope{Path: path, Status: 200, Data: json.RawMessage(data)})
	}
	event(protocol.PathLagged, `{"room":"chat:7"}`)
	event(protocol.PathReset, `{"room":"chat:7","position":"f.1.a","reason":"trimmed"}`)
	event(protocol.PathLeft, `{"room":"chat:7","error":{"code":"banned","message":"you are banned"}}`)
	if status := <-ended; status != 1 {
		t.Errorf("it ended with %d", status)
	}
	if lines := out.await(t, 1); lines[0] != `{"position":"f.1.a","reset":"trimmed"}` {
		t.Errorf("printed %q", lines)
	}
	said := notes.await(t, 3)
	for i, want := range []string{"behind", "messages are missing here, and cannot be had (trimmed)", "the server took you out of chat:7: you are banned"} {
		if !strings.Contains(said[i], want) {
			t.Errorf("it said %q, want %q", said[i], want)
		}
	}
}

func TestMessagesArePrintedForPersons(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for _, tt := range []struct {
		m    client.Message
		want string
	}{
		{client.Message{Path: "post", From: "ann", Time: at, Data: json.RawMessage(`{ "text": "می‌شود" }`)}, "03:04:05  ann: post {\"text\":\"می‌شود\"}\n"},
		{client.Message{Path: "photo", Time: at, Binary: []byte{1, 2}}, "03:04:05  photo (2 bytes)\n"},
		{client.Message{Path: "x\u202e", From: "\u009bm", Data: json.RawMessage("\"\u2066\"")}, "          \\u009bm: x\\u202e \"\\u2066\"\n"},
	} {
		var b bytes.Buffer
		if err := printMessage(&b, &tt.m, true); err != nil || b.String() != tt.want {
			t.Errorf("printed %q, %v; want %q", b.String(), err, tt.want)
		}
	}
	var b bytes.Buffer
	if err := printAnswer(&b, json.RawMessage(`{"a":[1,"`+"\u202e"+`"]}`), true); err != nil || b.String() != "{\n  \"a\": [\n    1,\n    \"\\u202e\"\n  ]\n}\n" {
		t.Errorf("printed %q, %v", b.String(), err)
	}
	if isTerminal(&b) {
		t.Error("a buffer is a terminal")
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) {
		t.Error("a file is a terminal")
	}
}

func TestExitStatusesSayWhatWentWrong(t *testing.T) {
	for err, want := range map[error]int{
		errors.New("anything"):     1,
		client.ErrTimeout:          4,
		client.ErrOutcomeUnknown:   4,
		client.ErrConnectionLost:   4,
		client.ErrNotSent:          3,
		&client.ClosedError{}:      3,
		&client.Error{Status: 403}: 1,
		client.ErrTooLarge:         2,
	} {
		if got := exitStatus(err); err.Error() == "anything" && got != want {
			t.Errorf("%v ends with %d", err, got)
		}
		if got := exitStatus(failed(err)); err.Error() != "anything" && got != want {
			t.Errorf("%v ends with %d, want %d", err, got, want)
		}
	}
}
