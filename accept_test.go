package finch

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// poorListener has no descriptors for its first tries.
type poorListener struct {
	net.Listener
	fails int
}

func (l *poorListener) Accept() (net.Conn, error) {
	if l.fails > 0 {
		l.fails--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return nil, net.ErrClosed
}

func TestAcceptWithoutDescriptorsIsSaidOnceAndGoesOn(t *testing.T) {
	var book bytes.Buffer
	var pauses []time.Duration
	a := &acceptor{&poorListener{fails: 10}, slog.New(slog.NewTextHandler(&book, nil)), func(d time.Duration) { pauses = append(pauses, d) }}
	if _, err := a.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Accept answered %v", err)
	}
	if n := strings.Count(book.String(), "cannot accept"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &book)
	}
	if len(pauses) != 10 || pauses[0] != firstPause || pauses[9] != maxPause {
		t.Errorf("paused %v", pauses)
	}
}
