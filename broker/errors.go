package broker

import "errors"

// Errors of a broker. Where a method says that it returns one of these, the
// error wraps it.
var (
	// ErrUnavailable: the broker cannot be reached or cannot decide now.
	// Nothing was done; the call may be made again later.
	ErrUnavailable = errors.New("broker unavailable")
	// ErrUnknownOutcome: the message may have been recorded or not. Whoever
	// publishes again with the same key learns which, without a second message.
	ErrUnknownOutcome = errors.New("outcome of the publish unknown")
	// ErrClosed: the broker was closed, or has not been started. Nothing was done.
	ErrClosed = errors.New("broker closed")
	// ErrTooLarge: the data is longer than Caps.MaxPayload. Nothing was done.
	ErrTooLarge = errors.New("message too large for the broker")
	// ErrKeyReused: this publisher used this key in this room for other data,
	// less than Caps.DedupeWindow ago. Nothing was recorded.
	ErrKeyReused = errors.New("key was used for another message")
	// ErrBadRoom: the name is empty or longer than MaxRoom. Nothing was done.
	ErrBadRoom = errors.New("not the name of a room")
	// ErrUnknownProfile: no profile of this name was given to Start. Nothing was
	// done.
	ErrUnknownProfile = errors.New("unknown history profile")
	// ErrUnknownNode: no live node has this id. Nothing was done, unless it went
	// while a question waited for its answer.
	ErrUnknownNode = errors.New("unknown node")
	// ErrPurged is the reason that Uncertain is given after Purge.
	ErrPurged = errors.New("history of the room purged")

	// ErrTrimmed: history does not reach back to that position any more, or
	// cannot prove that it does (Page.Follow).
	ErrTrimmed = errors.New("history trimmed")
	// ErrForked: the position belongs to another epoch, or to a message that the
	// store lost: what follows does not follow it (Page.Follow).
	ErrForked = errors.New("position is not of this history")
	// ErrStale: the page ends before what the caller knows to exist. A later
	// read may do better (Page.Follow).
	ErrStale = errors.New("stale read")
)
