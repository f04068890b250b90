package finch

import (
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// Limits bound what one socket may cost. A zero field takes its default; none
// can be switched off, only raised.
type Limits struct {
	// MessageBytes is the largest message a client may send, after
	// reassembly. Beyond it the socket is told finch.error 413 and closed
	// with 1009. Zero: 64 KiB.
	MessageBytes int
	// QueueBytes is how much may wait to be written to one socket. Beyond it
	// the socket is closed with 1013. Zero: 1 MiB.
	QueueBytes int
	// InboxBytes and InboxMessages are how much may wait for the handlers of
	// one socket. Beyond it the socket is not read until half is handled.
	// Zero: 256 KiB and 256.
	InboxBytes    int
	InboxMessages int
	// JSONDepth is how deep a client's JSON may nest. Beyond it the message
	// is answered 400 too_deep. Zero: 64.
	JSONDepth int
}

const defaultMessageBytes = 64 << 10

func (l Limits) messageBytes() int {
	if l.MessageBytes > 0 {
		return l.MessageBytes
	}
	return defaultMessageBytes
}

// config answers what the connections under these limits share.
func (l Limits) config(heartbeat time.Duration, meter *conn.Meter) *conn.Config {
	return conn.Config{
		Frame:         frame.Config{MaxMessage: l.messageBytes()},
		InboxBytes:    l.InboxBytes,
		InboxMessages: l.InboxMessages,
		QueueBytes:    l.QueueBytes,
		Heartbeat:     heartbeat,
		Meter:         meter,
	}.Ready()
}
