package stage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/internal/child"
	"github.com/finch-go/finch/internal/redisserver"
)

// redis is one server that writes what it is told into a file, as one in
// production does.
type redis struct {
	addr    string
	process *Process
}

// ErrNoRedis says that there is no program.
var ErrNoRedis = redisserver.ErrMissing

// RedisProgram finds the server.
func RedisProgram() (string, error) { return redisserver.Program() }

func newRedis(ctx context.Context, dir string) (*redis, error) {
	program, err := redisserver.Program()
	if err != nil {
		return nil, err
	}
	ports, err := child.FreePorts(1)
	if err != nil {
		return nil, err
	}
	r := &redis{addr: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	r.process, err = child.Start(child.Options{Name: "redis-server", Program: program, Args: []string{
		"--port", strconv.Itoa(ports[0]), "--bind", "127.0.0.1", "--dir", dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
	}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	if err := r.process.Await(ctx, func() error { _, err := r.ask("PING"); return err }); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Node is documented at [Store].
func (r *redis) Node() node.Options { return node.Options{Broker: "redis", URL: r.addr} }

// Servers is documented at [Store].
func (r *redis) Servers() []*Process { return []*Process{r.process} }

// Close is documented at [Store].
func (r *redis) Close() { r.process.Kill() }

// Memory is documented at [Store]. It is what the server itself counts.
func (r *redis) Memory(context.Context) (int, error) {
	info, err := r.ask("INFO", "memory")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info[0]) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			return strconv.Atoi(value)
		}
	}
	return 0, errors.New("redis-server does not say how much memory it uses")
}

// Reads is documented at [Store]. The server itself says which commands read, and
// counts those of scripts too.
func (r *redis) Reads(context.Context) (func() (int, error), error) {
	reading, err := r.ask("COMMAND", "LIST", "FILTERBY", "ACLCAT", "read")
	if err != nil {
		return nil, err
	}
	count := func() (sum int, err error) {
		info, err := r.ask("INFO", "commandstats")
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(info[0]) {
			name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
			calls, _, _ := strings.Cut(rest, ",")
			if !ok || !slices.Contains(reading, strings.ToLower(name)) {
				continue
			}
			n, err := strconv.Atoi(calls)
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	}
	before, err := count()
	return func() (int, error) {
		now, err := count()
		return now - before, err
	}, err
}

// ask sends one command and answers its texts: one, or those of a list.
func (r *redis) ask(command ...string) ([]string, error) {
	conn, err := net.DialTimeout("tcp", r.addr, time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
	}
	return readAnswer(bufio.NewReader(conn))
}

// longestAnswer is far more than a server says of itself.
const longestAnswer = 1 << 20

// readAnswer reads as much of RESP as these commands are answered in.
func readAnswer(in *bufio.Reader) ([]string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSpace(line)
	kind, rest := line[:min(1, len(line))], line[min(1, len(line)):]
	switch kind {
	case "+", ":":
		return []string{rest}, nil
	case "-":
		return nil, errors.New(rest)
	case "$":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > longestAnswer {
			return nil, fmt.Errorf("an answer of %q bytes", rest)
		}
		text := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		return []string{string(text[:n])}, nil
	case "*":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return nil, err
		}
		var all []string
		for range n {
			one, err := readAnswer(in)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	}
	return nil, fmt.Errorf("an answer that begins with %q", line)
}
