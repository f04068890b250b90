// Package servers runs Redis and NATS for the tests of the command, on the loopback.
// It is for tests alone.
package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/finch-go/finch/internal/child"
	"github.com/finch-go/finch/internal/redisserver"
)

// Redis is a process of redis-server that keeps nothing on disk.
type Redis struct {
	Address string

	t       testing.TB
	program string
	args    []string
	process *child.Process // nil when it was killed
	said    string         // of those that were killed
}

// StartRedis starts a server at a port, with more arguments of its command line,
// and ends it with the test.
func StartRedis(t testing.TB, port string, args ...string) *Redis {
	t.Helper()
	r := &Redis{Address: "127.0.0.1:" + port, t: t, program: redisserver.Need(t)}
	r.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no"}, args...)
	t.Cleanup(func() {
		r.Kill()
		if t.Failed() {
			t.Logf("redis-server said:\n%s", r.said)
		}
	})
	r.Start()
	return r
}

// Start starts a server that was killed, with nothing of what it had.
func (r *Redis) Start() {
	r.t.Helper()
	var err error
	r.process, err = child.Start(child.Options{Name: "redis-server", Program: r.program, Args: r.args, Anywhere: true})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	err = r.process.Await(ctx, func() error {
		conn, err := net.Dial("tcp", r.Address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// Kill ends the process without a word.
func (r *Redis) Kill() {
	if r.process != nil {
		r.process.Kill()
		r.said += r.process.Said()
		r.process = nil
	}
}

// StartNATS starts a real server in this process.
func StartNATS(t testing.TB, o *server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs, o.StoreDir = "127.0.0.1", -1, true, true, t.TempDir()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("nats-server does not listen")
	}
	return s.Addr().String()
}

// OldRedis answers as a server of another version does, as far as anybody asks.
func OldRedis(t testing.TB, version string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveOld(conn, version)
		}
	}()
	return l.Addr().String()
}

func serveOld(conn net.Conn, version string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var words []string
		head, err := in.ReadString('\n')
		if err != nil || head[0] != '*' {
			return
		}
		n, _ := strconv.Atoi(strings.TrimSpace(head[1:]))
		for range n {
			in.ReadString('\n') // the length
			word, _ := in.ReadString('\n')
			words = append(words, strings.ToUpper(strings.TrimSpace(word)))
		}
		switch words[0] {
		case "HELLO":
			fmt.Fprintf(conn, "%%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$%d\r\n%s\r\n", len(version), version)
		case "INFO":
			text := "# Server\r\nredis_version:" + version + "\r\n"
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(text), text)
		default:
			fmt.Fprint(conn, "+OK\r\n")
		}
	}
}

// FreePort finds a port on which nobody listens.
func FreePort(t testing.TB) string {
	t.Helper()
	ports, err := child.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(ports[0])
}

// patience is how long is waited for what is owed.
const patience = 30 * time.Second

// Until polls a fact, no longer than half a minute.
func Until(t testing.TB, what string, fact func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !fact() {
		if time.Now().After(deadline) {
			t.Fatalf("not within half a minute: %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}
