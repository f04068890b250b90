package servers

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A Proxy stands between nodes and a server, and loses what the server sends as
// a test says.
type Proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	lose  func(subject, header, data string) bool
	edit  func(header string) string // to one of the same length
}

// NewProxy puts a proxy before the server of a URL.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: strings.TrimPrefix(target, "nats://")}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

// URL is where it listens.
func (p *Proxy) URL() string { return "nats://" + p.listener.Addr().String() }

// Losing sets what is lost from now on.
func (p *Proxy) Losing(lose func(subject, header, data string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = lose
}

// Rewriting sets how headers are changed from now on.
func (p *Proxy) Rewriting(edit func(header string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.edit = edit
}

func (p *Proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() {
			io.Copy(server, client)
			server.Close()
		})
		p.wg.Go(func() {
			p.sift(client, bufio.NewReaderSize(server, 64<<10))
			client.Close()
		})
	}
}

// sift passes on what the server sends, less what is to be lost.
func (p *Proxy) sift(client io.Writer, server *bufio.Reader) {
	for {
		line, err := server.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(line)
		var body []byte
		if len(fields) > 3 && (fields[0] == "MSG" || fields[0] == "HMSG") {
			size, err := strconv.Atoi(fields[len(fields)-1])
			if err != nil {
				return
			}
			body = make([]byte, size+2)
			if _, err := io.ReadFull(server, body); err != nil {
				return
			}
			header := 0
			if fields[0] == "HMSG" {
				header, _ = strconv.Atoi(fields[len(fields)-2])
			}
			p.mu.Lock()
			lost := p.lose != nil && p.lose(fields[1], string(body[:header]), string(body[header:size]))
			if p.edit != nil {
				copy(body, p.edit(string(body[:header])))
			}
			p.mu.Unlock()
			if lost {
				continue
			}
		}
		if _, err := client.Write(append([]byte(line), body...)); err != nil {
			return
		}
	}
}
