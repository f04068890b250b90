package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
)

// notices is a slog.Handler that shows a person what the client has to say, one
// line each, and notes when the server refused something.
type notices struct {
	out     io.Writer
	refused *atomic.Bool

	mu sync.Mutex // one line at a time
}

// Enabled leaves out what is for the client's own authors.
func (n *notices) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle prints one record.
func (n *notices) Handle(_ context.Context, r slog.Record) error {
	line := "finch: " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "code" {
			n.refused.Store(true)
		}
		line += fmt.Sprintf(" %s=%s", a.Key, printable(a.Value.String()))
		return true
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err := fmt.Fprintln(n.out, line)
	return err
}

// WithAttrs and WithGroup are not used by the client.
func (n *notices) WithAttrs([]slog.Attr) slog.Handler { return n }
func (n *notices) WithGroup(string) slog.Handler      { return n }
