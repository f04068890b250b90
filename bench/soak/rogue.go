package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// What these do wrong the server may answer as it likes, or not at all; only
// that it takes connections is asked of it. Errors of writing and reading are
// therefore nobody's.

// tcp is the connection below everything else.
func (k *socket) tcp() *net.TCPConn {
	if t, ok := k.nc.(*tls.Conn); ok {
		return t.NetConn().(*net.TCPConn)
	}
	return k.nc.(*net.TCPConn)
}

// leave goes without a word: gently, or with a reset.
func (k *socket) leave() {
	if k.rng.IntN(2) == 0 {
		k.tcp().SetLinger(0)
		k.tcp().Close()
	}
	k.nc.Close()
}

func (c *client) anyPath() string { return []string{"/echo", "/ws"}[c.rng.IntN(2)] }

// conversation is a few good frames.
func (c *client) conversation(k *socket) []byte {
	var b []byte
	for range 1 + c.rng.IntN(5) {
		b = append(b, k.fragments(frame.Text, []byte(`{"path":"echo","data":"`+c.words(c.rng.IntN(500))+`"}`))...)
	}
	return append(b, k.masked(frame.Close, []byte{0x03, 0xE8})...)
}

// vanish leaves at any byte of a handshake and a conversation.
func vanish(ctx context.Context, c *client) error {
	k, err := c.server.dial(c.rng)
	if err != nil {
		return err
	}
	defer k.leave()
	b := append([]byte(request(c.anyPath())), c.conversation(k)...)
	k.nc.Write(b[:c.rng.IntN(len(b)+1)])
	if c.rng.IntN(2) == 0 {
		pause(ctx, time.Duration(c.rng.IntN(300))*time.Millisecond)
	}
	return nil
}

// babble sends bytes from chance: instead of a handshake, below TLS, or behind a
// handshake, where it must be told that this is no WebSocket.
func babble(ctx context.Context, c *client) error {
	garbage := make([]byte, 1+c.rng.IntN(4000))
	for i := range garbage {
		garbage[i] = byte(c.rng.Uint32())
	}
	if c.rng.IntN(3) == 0 {
		k, err := c.server.dial(c.rng)
		if err != nil {
			return err
		}
		defer k.leave()
		if c.rng.IntN(2) == 0 {
			k.tcp().Write(garbage)
		} else {
			k.nc.Write(garbage)
		}
		io.CopyN(io.Discard, k.nc, 100)
		return nil
	}
	k, err := c.open(c.anyPath())
	if err != nil {
		return err
	}
	defer k.leave()
	garbage[0] |= 0x40 // no extension was agreed on
	k.nc.SetDeadline(time.Now().Add(answerWithin))
	k.nc.Write(garbage)
	for {
		op, _, err := k.next()
		switch {
		case op == frame.Close:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("garbage was not answered with a close frame")
		case err != nil:
			return nil // what was not read of it may have reset the connection
		}
	}
}

// flood sends as much as is taken and reads nothing for a while.
func flood(ctx context.Context, c *client) error {
	k, err := c.open(c.anyPath())
	if err != nil {
		return err
	}
	defer k.leave()
	b := k.masked(frame.Text, []byte(`{"path":"echo","data":"`+c.words(c.rng.IntN(3000))+`"}`))
	if c.rng.IntN(4) == 0 {
		b = bytes.Repeat(b[:6], 200) // and what makes no sense at all
	}
	k.nc.SetDeadline(time.Now().Add(time.Duration(500+c.rng.IntN(3000)) * time.Millisecond))
	for left := 4 << 20; left > 0; left -= len(b) {
		if _, err := k.nc.Write(b); err != nil {
			return nil
		}
	}
	io.CopyN(io.Discard, k.nc, int64(c.rng.IntN(1<<20)))
	return nil
}

// dawdle asks for much and reads it slowly. It may be closed for that; what it
// does get must be in order.
func dawdle(ctx context.Context, c *client) error {
	k, err := c.open("/ws")
	if err != nil {
		return err
	}
	defer k.leave()
	k.tcp().SetReadBuffer(4 << 10)
	const size = 30_000
	asked := 10 + c.rng.IntN(140)
	go func() { // the server reads no more when it has to wait for this one
		for n := range asked {
			if _, err := fmt.Fprint(k.nc, string(frame.AppendMasked(nil, frame.Text, fmt.Appendf(nil, `{"path":"echo","data":"%d:%s"}`, n, letters+string(bytes.Repeat([]byte("x"), size))), [4]byte{9, 8, 7, 6}))); err != nil {
				return
			}
		}
	}()
	k.nc.SetDeadline(time.Now().Add(answerWithin))
	if !pause(ctx, time.Duration(c.rng.IntN(2000))*time.Millisecond) {
		return nil
	}
	h := &heard{tally: c.tally}
	for n := 0; n < asked; {
		_, payload, err := k.next()
		if err != nil {
			return nil // closed for being slow, perhaps with a reset
		}
		data, isEcho, err := h.envelope(payload)
		switch {
		case err != nil:
			return err
		case !isEcho:
			continue
		}
		var got int
		if fmt.Sscanf(data, "%d:", &got); got != n {
			return fmt.Errorf("echo %d came where %d was due", got, n)
		}
		n++
		pause(ctx, time.Duration(c.rng.IntN(20))*time.Millisecond)
	}
	return nil
}

// stopHalfway leaves a handshake or a frame unfinished, stays, and goes.
func stopHalfway(ctx context.Context, c *client) error {
	k, err := c.server.dial(c.rng)
	if err != nil {
		return err
	}
	defer k.leave()
	handshake := request(c.anyPath())
	b := append([]byte(handshake), k.masked(frame.Text, []byte("never finished"))...)
	k.nc.Write(b[:len(b)-1-c.rng.IntN(len(b)-1)])
	pause(ctx, time.Duration(c.rng.IntN(5000))*time.Millisecond)
	return nil
}

// ping sends control frames and empty fragments by the thousand, and reads no
// answer.
func ping(ctx context.Context, c *client) error {
	k, err := c.open(c.anyPath())
	if err != nil {
		return err
	}
	defer k.leave()
	b := bytes.Repeat(k.masked(frame.Ping, []byte(c.words(c.rng.IntN(126)))), 5000)
	if c.rng.IntN(2) == 0 {
		empty := k.masked(frame.Continuation, nil)
		empty[0] &^= 0x80
		first := k.masked(frame.Binary, nil)
		first[0] &^= 0x80
		b = append(first, bytes.Repeat(empty, 20_000)...)
	}
	k.nc.SetDeadline(time.Now().Add(2 * time.Second))
	k.nc.Write(b)
	return nil
}

// staySilent breaks the protocol and never answers the server's goodbye, nor
// ends its half of the stream.
func staySilent(ctx context.Context, c *client) error {
	k, err := c.open(c.anyPath())
	if err != nil {
		return err
	}
	defer k.leave()
	k.nc.Write([]byte{0x83, 0x80, 0, 0, 0, 0})
	pause(ctx, time.Duration(c.rng.IntN(8000))*time.Millisecond) // the server waits five seconds
	return nil
}

// visit opens and leaves, again and again.
func visit(ctx context.Context, c *client) error {
	for range 1 + c.rng.IntN(20) {
		k, err := c.open(c.anyPath())
		if err != nil {
			return err
		}
		k.leave()
		if ctx.Err() != nil {
			break
		}
	}
	return nil
}
