package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/finch-go/finch/internal/frame"
)

// control is the WebSocket to the suite: a plain one, without envelopes, which
// the client cannot speak.
type control struct {
	nc     net.Conn
	in     *bufio.Reader
	parser frame.Parser
	rest   []byte

	mu sync.Mutex // guards writing
}

func dialControl(ctx context.Context, address string) (*control, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "ws" {
		return nil, fmt.Errorf("FINCH_SUITE_CONTROL is %q: the suite starts the driver, and sets it", address)
	}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", u.Path, u.Host)
	c := &control{nc: nc, in: bufio.NewReader(nc)}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the suite answered %s", answer.Status)
	}
	return c, nil
}

func (c *control) close() { c.nc.Close() }

// read returns the next command.
func (c *control) read() ([]byte, error) {
	cfg := frame.Config{Client: true}
	for {
		for len(c.rest) > 0 {
			ev, n, err := c.parser.Next(&cfg, c.rest)
			if err != nil {
				return nil, err
			}
			c.rest = c.rest[n:]
			switch ev.Opcode {
			case frame.Text:
				return append([]byte{}, ev.Payload...), nil
			case frame.Close:
				return nil, errors.New("the suite has closed the control connection")
			}
		}
		buf := make([]byte, 16<<10)
		n, err := c.in.Read(buf)
		if n == 0 && err != nil {
			return nil, err
		}
		c.rest = buf[:n]
	}
}

func (c *control) write(r report) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.nc.Write(frame.AppendMasked(nil, frame.Text, text, [4]byte{1, 2, 3, 4}))
	return err
}
