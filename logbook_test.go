package finch_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// logbook keeps what is logged, for tests to read.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func newLogbook() (*slog.Logger, *logbook) {
	b := new(logbook)
	return slog.New(slog.NewTextHandler(b, nil)), b
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// wants fails the test unless the log has all of these.
func (b *logbook) wants(t *testing.T, all ...string) {
	t.Helper()
	for _, s := range all {
		if !strings.Contains(b.String(), s) {
			t.Errorf("the log does not have %q:\n%s", s, b)
		}
	}
}

// lacks fails the test if the log has any of these.
func (b *logbook) lacks(t *testing.T, none ...string) {
	t.Helper()
	for _, s := range none {
		if strings.Contains(b.String(), s) {
			t.Errorf("the log has %q:\n%s", s, b)
		}
	}
}

// panicOf answers what f panics with, as text; empty if it does not.
func panicOf(f func()) (text string) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case string:
			text = p
		case error:
			text = p.Error()
		default:
			text = "a panic that is no text"
		}
	}()
	f()
	return ""
}

// wantPanic fails the test unless f panics with all of these in its message.
func wantPanic(t *testing.T, f func(), all ...string) {
	t.Helper()
	text := panicOf(f)
	if text == "" {
		t.Error("it did not panic")
		return
	}
	for _, s := range all {
		if !strings.Contains(text, s) {
			t.Errorf("the panic does not say %q: %s", s, text)
		}
	}
}
