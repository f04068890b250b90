// Package servers runs Redis and NATS for the tests of the command, on the loopback.
// It is for tests alone.
package servers

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// redisProgram finds redis-server, or skips the test aloud, which fails in CI.
func redisProgram(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("FINCH_REDIS_SERVER"), "redis-server", "valkey-server"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "redis-server is missing, and nothing is tested against a real server: apt-get install redis-server, or set FINCH_REDIS_SERVER"
	if os.Getenv("CI") != "" || os.Getenv("FINCH_CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Redis is a process of redis-server that keeps nothing on disk.
type Redis struct {
	Address string

	t       testing.TB
	program string
	args    []string
	process *exec.Cmd
	said    bytes.Buffer
}

// StartRedis starts a server at a port, with more arguments of its command line,
// and ends it with the test.
func StartRedis(t testing.TB, port string, args ...string) *Redis {
	t.Helper()
	r := &Redis{Address: "127.0.0.1:" + port, t: t, program: redisProgram(t)}
	r.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no"}, args...)
	t.Cleanup(func() {
		r.Kill()
		if t.Failed() {
			t.Logf("redis-server said:\n%s", r.said.Bytes())
		}
	})
	r.Start()
	return r
}

// Start starts a server that was killed, with nothing of what it had.
func (r *Redis) Start() {
	r.t.Helper()
	r.process = exec.Command(r.program, r.args...)
	r.process.Stdout, r.process.Stderr = &r.said, &r.said
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	Until(r.t, "redis-server listens", func() bool {
		conn, err := net.Dial("tcp", r.Address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// Kill ends the process without a word.
func (r *Redis) Kill() {
	if r.process != nil {
		r.process.Process.Kill()
		r.process.Wait()
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

// FreePort finds a port below those from which the kernel takes near ends.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(12000 + rand.N(20000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// Until polls a fact, no longer than half a minute.
func Until(t testing.TB, what string, fact func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !fact() {
		if time.Now().After(deadline) {
			t.Fatalf("not within half a minute: %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}
