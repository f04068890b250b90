package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// letters need no escape in JSON.
const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

func (c *client) words(n int) string {
	var b strings.Builder
	at := c.rng.IntN(len(letters))
	for b.Len() < n {
		b.WriteString(letters[at:])
		at = 0
	}
	return b.String()[:n]
}

// heard knows where each publisher was when it was last heard.
type heard struct {
	tally *tally
	last  map[string]int
}

func (h *heard) all(data string) error {
	name, text, ok := strings.Cut(data, ":")
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); !ok || err != nil {
		return fmt.Errorf("heard %q, which nobody said", data)
	}
	h.tally.heard.Add(1)
	if h.last == nil {
		h.last = map[string]int{}
	}
	last, known := h.last[name]
	if known && n != last+1 {
		return fmt.Errorf("heard message %d of %s behind %d: %s", n, name, last, map[bool]string{true: "lost between", false: "doubled or late"}[n > last])
	}
	h.last[name] = n
	return nil
}

// envelope reads a message of /ws: the data of an echo, or "" after a message to
// everyone was heard.
func (h *heard) envelope(payload []byte) (echo string, isEcho bool, err error) {
	var e struct {
		Path  string `json:"path"`
		Data  string `json:"data"`
		Error *struct{ Code, Message string }
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return "", false, fmt.Errorf("%.200q is no envelope: %w", payload, err)
	}
	switch {
	case e.Error != nil:
		return "", false, fmt.Errorf("refused: %s: %s", e.Error.Code, e.Error.Message)
	case e.Path == "all":
		return "", false, h.all(e.Data)
	case e.Path == "echo":
		return e.Data, true, nil
	}
	return "", false, fmt.Errorf("a message on path %q", e.Path)
}

// late takes what is under way when a client says goodbye.
func (h *heard) late(payload []byte) error {
	_, isEcho, err := h.envelope(payload)
	if err == nil && isEcho {
		err = fmt.Errorf("an echo that nobody waits for: %.100q", payload)
	}
	return err
}

// talk sends messages in bursts and gets each back, once and in order.
func talk(ctx context.Context, c *client) error {
	raw := c.rng.IntN(2) == 0
	path := map[bool]string{true: "/echo", false: "/ws"}[raw]
	k, err := c.open(path)
	if err != nil {
		return err
	}
	defer k.nc.Close()
	h := &heard{tally: c.tally}
	for burst := range 1 + c.rng.IntN(100) {
		if burst > 0 && !pause(ctx, time.Duration(10+c.rng.IntN(20))*time.Millisecond) {
			break
		}
		if err := c.burst(k, h, raw, burst); err != nil {
			return fmt.Errorf("%s, burst %d: %w", path, burst, err)
		}
	}
	if c.rng.IntN(4) == 0 {
		return nil // it has all it asked for and just goes
	}
	late := h.late
	if raw {
		late = func(b []byte) error { return fmt.Errorf("nobody waits for %.100q", b) }
	}
	return k.goodbye(late)
}

// burst sends a few messages, and reads as many.
func (c *client) burst(k *socket, h *heard, raw bool, number int) error {
	var sent []string
	var b []byte
	for i := range 1 + c.rng.IntN(8) {
		size := c.rng.IntN(2000)
		if c.rng.IntN(100) == 0 {
			size = 50_000
		}
		data := fmt.Sprintf("%d.%d:%s", number, i, c.words(size))
		sent = append(sent, data)
		payload := []byte(data)
		if !raw {
			payload = fmt.Appendf(nil, `{"path":"echo","data":"%s"}`, data)
		}
		if c.rng.IntN(5) == 0 {
			b = append(b, k.fragments(frame.Text, payload)...)
		} else {
			b = append(b, k.masked(frame.Text, payload)...)
		}
	}
	k.nc.SetDeadline(time.Now().Add(answerWithin))
	if _, err := k.nc.Write(b); err != nil {
		return err
	}
	for len(sent) > 0 {
		_, payload, err := k.next()
		if err != nil {
			return fmt.Errorf("%d answers are lost: %w", len(sent), err)
		}
		data, isEcho := string(payload), true
		if !raw {
			if data, isEcho, err = h.envelope(payload); err != nil {
				return err
			}
		}
		if !isEcho {
			continue
		}
		if data != sent[0] {
			return fmt.Errorf("got %.60q where %.60q was due", data, sent[0])
		}
		sent = sent[1:]
		c.tally.echoed.Add(1)
	}
	return nil
}

// listen hears what is said to everyone, for a while.
func listen(ctx context.Context, c *client) error {
	k, err := c.open("/ws")
	if err != nil {
		return err
	}
	defer k.nc.Close()
	h := &heard{tally: c.tally}
	for end := time.Now().Add(time.Duration(1+c.rng.IntN(20)) * time.Second); time.Now().Before(end) && ctx.Err() == nil; {
		k.nc.SetDeadline(time.Now().Add(answerWithin))
		_, payload, err := k.next()
		if err != nil {
			if ctx.Err() != nil { // the publishers have gone too
				break
			}
			return fmt.Errorf("heard nothing more: %w", err)
		}
		if err := h.late(payload); err != nil {
			return err
		}
	}
	return k.goodbye(h.late)
}

// publish says something to everyone now and then, and hears itself.
func publish(ctx context.Context, c *client) error {
	k, err := c.open("/ws")
	if err != nil {
		return err
	}
	defer k.nc.Close()
	h := &heard{tally: c.tally}
	name := fmt.Sprintf("%s.%d", c.name, c.turn)
	for n := range 20 + c.rng.IntN(200) {
		if err := k.send(frame.Text, fmt.Appendf(nil, `{"path":"all","data":"%s:%d:%s"}`, name, n, c.words(c.rng.IntN(300)))); err != nil {
			return err
		}
		for last, ok := h.last[name]; !ok || last < n; last, ok = h.last[name] {
			_, payload, err := k.next()
			if err != nil {
				return fmt.Errorf("did not hear its own message %d: %w", n, err)
			}
			if err := h.late(payload); err != nil {
				return err
			}
		}
		if !pause(ctx, time.Duration(20+c.rng.IntN(60))*time.Millisecond) {
			break
		}
	}
	return k.goodbye(h.late)
}
