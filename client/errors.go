package client

import (
	"errors"
	"fmt"
)

// Errors that callers branch on.
var (
	// ErrClosed: the client is closed, by [Client.Close] or by the server for
	// good, and will not connect again. What is returned is a [*ClosedError],
	// which says why.
	ErrClosed = errors.New("client: closed")
	// ErrConnectionLost: the connection broke before the answer came. Whether the
	// server has handled the request is not known.
	ErrConnectionLost = errors.New("client: the connection was lost before the answer")
	// ErrTimeout: no answer came within [Options].RequestTimeout.
	ErrTimeout = errors.New("client: no answer in time")
	// ErrOutcomeUnknown: a publish was tried for [Options].PublishTimeout, or
	// given up, and may have been recorded or not.
	ErrOutcomeUnknown = errors.New("client: the outcome of the publish is unknown")
	// ErrNotSent: a publish was given up that had never been sent. It was not
	// recorded.
	ErrNotSent = errors.New("client: the publish was not sent")
	// ErrQueueFull: more waits to be sent than [Options].QueueBytes. Nothing of
	// what was to be sent has been.
	ErrQueueFull = errors.New("client: the send queue is full")
	// ErrInboxFull: a request was made within a handler while more messages
	// waited for handlers than [Options].InboxBytes, so that its answer would not
	// be read.
	ErrInboxFull = errors.New("client: more messages wait for handlers than the inbox holds")
	// ErrTooLarge: the message is larger than the server takes.
	ErrTooLarge = errors.New("client: the message is larger than the server takes")
	// ErrSignedOut is for [Options].Token to return: there is no token, and there
	// will be none.
	ErrSignedOut = errors.New("client: signed out")
)

// An Error is what the other end answers in place of data: an answer of the
// server is returned as one, and a handler returns one to choose what the server
// gets to see.
type Error struct {
	Status  int    // as in HTTP; 4xx and 5xx
	Code    string // for programs: "room_full"
	Message string // for people
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an [Error].
func Errorf(status int, code, format string, args ...any) error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// A ClosedError says why a client is closed. errors.Is takes it for
// [ErrClosed].
type ClosedError struct {
	Code   int    // the close code; 1000 after [Client.Close]
	Reason string // for people
}

// Error returns the code and the reason.
func (e *ClosedError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("client: closed with %d", e.Code)
	}
	return fmt.Sprintf("client: closed with %d: %s", e.Code, e.Reason)
}

// Is reports whether target is [ErrClosed].
func (e *ClosedError) Is(target error) bool { return target == ErrClosed }
