package redis_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A proxy stands between a broker and a server, and does to the connections what
// networks do.
type proxy struct {
	t testing.TB
	l net.Listener

	mu      sync.Mutex
	target  string
	cut     bool // connections are refused
	mute    bool // what is published is not told: the rest is
	conns   map[net.Conn]bool
	running sync.WaitGroup
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, l: l, target: target, conns: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.setCut(true)
		p.running.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.l.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target, cut := p.target, p.cut
		p.mu.Unlock()
		if cut {
			c.Close()
			continue
		}
		s, err := net.Dial("tcp", target)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.conns[c], p.conns[s] = true, true
		p.mu.Unlock()
		p.running.Go(func() { defer p.end(c, s); io.Copy(s, c) })
		p.running.Go(func() { defer p.end(c, s); p.tell(c, s) })
	}
}

func (p *proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(p.conns, c)
	}
}

// tell copies what the server says, value by value, without what is muted.
func (p *proxy) tell(to io.Writer, from io.Reader) {
	r := bufio.NewReader(from)
	for {
		value, err := readValue(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		mute := p.mute && bytes.HasPrefix(value, []byte(">3\r\n$8\r\nsmessage"))
		p.mu.Unlock()
		if mute {
			continue
		}
		if _, err := to.Write(value); err != nil {
			return
		}
	}
}

// readValue reads one value of RESP3 as it stands.
func readValue(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	switch line[0] {
	case '$', '=', '!':
		if n < 0 {
			return line, nil
		}
		rest := make([]byte, n+2)
		_, err = io.ReadFull(r, rest)
		return append(line, rest...), err
	case '*', '>', '~', '%', '|':
		if line[0] == '%' || line[0] == '|' {
			n *= 2
		}
		for range n {
			value, err := readValue(r)
			if err != nil {
				return nil, err
			}
			line = append(line, value...)
		}
	}
	return line, nil
}

// setCut ends all connections, and refuses others as long as it is cut.
func (p *proxy) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.conns {
			c.Close()
		}
	}
}

func (p *proxy) setMute(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
}

// aim leads new connections elsewhere, and ends those that are.
func (p *proxy) aim(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
	p.setCut(true)
	p.setCut(false)
}

// An oldServer says that it is a version of Redis.
func oldServer(t testing.TB, version string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { l.Close(); running.Wait() })
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer c.Close(); pretend(c, version) })
		}
	})
	return l.Addr().String()
}

// pretend answers what a client asks first.
func pretend(c net.Conn, version string) {
	r := bufio.NewReader(c)
	for {
		command, err := readValue(r)
		if err != nil {
			return
		}
		answer := "-ERR unknown command\r\n"
		words := strings.Split(string(command), "\r\n")
		if len(words) > 2 {
			switch strings.ToUpper(words[2]) {
			case "HELLO":
				answer = fmt.Sprintf("%%2\r\n+version\r\n+%s\r\n+proto\r\n:3\r\n", version)
			case "CLUSTER":
				answer = "-ERR This instance has cluster support disabled\r\n"
			case "PING":
				answer = "+PONG\r\n"
			case "INFO":
				text := "# Server\r\nredis_version:" + version + "\r\nrole:master\r\n"
				answer = fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
			}
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}
