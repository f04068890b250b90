package finch

import (
	"errors"
	"fmt"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// Errors that callers branch on.
var (
	// ErrClosed: the socket is closing or gone.
	ErrClosed = conn.ErrClosed
	// ErrSlow: the socket's send queue was full ([Limits].QueueBytes); it is
	// being closed with 1013.
	ErrSlow = conn.ErrSlow
	// ErrTooLarge: the message could never fit into a send queue.
	ErrTooLarge = conn.ErrTooLarge
	// ErrInboxFull: [Ask] gave up because the client has sent more than its
	// handlers have taken, so that its answer would not be read.
	ErrInboxFull = conn.ErrInboxFull
	// ErrNotConnected: no socket has this id.
	ErrNotConnected = errors.New("finch: no socket has this id")
	// ErrShuttingDown: the manager takes no new sockets.
	ErrShuttingDown = errors.New("finch: shutting down")
	// ErrUnavailable: the broker cannot be reached; nothing was done.
	ErrUnavailable = broker.ErrUnavailable
	// ErrUnknownOutcome: the message may have been recorded or not; publish again
	// with the same key.
	ErrUnknownOutcome = broker.ErrUnknownOutcome
	// ErrReset: history cannot go on from a position: it does not reach back so
	// far, or the position is of another history. Read anew from the beginning.
	ErrReset = errors.New("finch: history does not go on from this position")
	// ErrKeyReused: the publish key was used in this room for another message.
	ErrKeyReused = broker.ErrKeyReused
)

// Error is an error that is meant for the client: its status, code and
// message travel as they are. Any other error that a handler returns reaches
// the client as 500 "internal" and nothing more; its text goes to the log.
type Error struct {
	Status  int    // as in HTTP; 4xx and 5xx
	Code    string // for programs: "room_full"
	Message string // for people
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an [Error].
func Errorf(status int, code, format string, args ...any) error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// wireErrors are errors of the framework that a handler may simply return: what
// a client is told of each. The first that fits counts.
var wireErrors = []struct {
	err  error
	wire Error
}{
	{hub.ErrGone, Error{protocol.StatusUnavailable, "closed", "the socket is closed"}},
	{conn.ErrClosed, Error{protocol.StatusUnavailable, "closed", "the socket is closed"}},
	{ErrKeyReused, Error{protocol.StatusConflict, protocol.RefusalKeyReused, "the publish key was used for another message"}},
	{ErrReset, Error{protocol.StatusConflict, protocol.RefusalReset, "history does not go on from this position"}},
	{ErrTooLarge, Error{protocol.StatusTooLarge, protocol.RefusalTooLarge, "the message is too large"}},
	{ErrUnavailable, Error{protocol.StatusUnavailable, protocol.RefusalUnavailable, "this cannot be done now; try again"}},
	{broker.ErrClosed, Error{protocol.StatusUnavailable, protocol.RefusalUnavailable, "this server is going away; try again"}},
	{ErrUnknownOutcome, Error{protocol.StatusUnavailable, protocol.RefusalUnknownOutcome, "nobody knows whether the message was recorded; publish it again with the same key"}},
}

// forClient answers what a client may see of err, and whether err was meant
// for it.
func forClient(err error) (e *Error, meant bool) {
	if errors.As(err, &e) {
		if e.Status < 400 || e.Status > 599 {
			return &Error{Status: protocol.StatusInternalServerError, Code: e.Code, Message: e.Message}, true
		}
		return e, true
	}
	for _, known := range wireErrors {
		if errors.Is(err, known.err) {
			return &known.wire, true
		}
	}
	return &Error{Status: protocol.StatusInternalServerError, Code: protocol.RefusalInternal, Message: "something went wrong on the server"}, false
}

// closeFor answers the close code that says to a client what err says.
func closeFor(e *Error) (code int) {
	switch {
	case e.Status == protocol.StatusUnauthorized:
		return protocol.CloseUnauthorized
	case e.Status == protocol.StatusForbidden:
		return protocol.CloseForbidden
	case e.Status == protocol.StatusTooManyRequests:
		return protocol.CloseTooFast
	case e.Status == protocol.StatusUnavailable:
		return protocol.CloseTryAgain
	case e.Status < 500:
		return protocol.ClosePolicy
	}
	return protocol.CloseInternal
}

// StatusOf answers the status of an error: that of an [Error] in its chain,
// 500 for any other, 200 for nil.
func StatusOf(err error) int {
	if err == nil {
		return protocol.StatusOK
	}
	e, _ := forClient(err)
	return e.Status
}
