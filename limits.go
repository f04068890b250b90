package finch

import (
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// Limits bound what one socket may cost. A zero field takes its default. Only
// the rates can be switched off, by a negative value.
type Limits struct {
	// MessageBytes is the largest message a client may send, after
	// reassembly, before and after inflating. Beyond it the socket is told finch.error 413 and closed
	// with 1009. Zero: 64 KiB.
	MessageBytes int
	// QueueBytes is how much may wait for sockets that do not keep up: of
	// what was sent to one socket alone, and of what was sent to one address.
	// Beyond it the sockets that are furthest behind are closed with 1013.
	// Zero: 1 MiB.
	QueueBytes int
	// NodeBytes is how much may wait for all sockets of a manager together.
	// Beyond it those that are furthest behind at an address that is sent to
	// are closed with 1013. Zero: 512 MiB.
	NodeBytes int64
	// InboxBytes and InboxMessages are how much may wait for the handlers of
	// one socket. Beyond it the socket is not read until half is handled.
	// Zero: 256 KiB and 256.
	InboxBytes    int
	InboxMessages int
	// JSONDepth is how deep a client's JSON may nest. Beyond it the message
	// is answered 400 too_deep. Zero: 64.
	JSONDepth int
	// MessagesPerSecond and BytesPerSecond are how fast one client of a
	// manager may send; five seconds' worth may come at once. What comes
	// faster is answered 429 too_fast and not handled; a client that goes on
	// is closed with 4429. Zero: 1,000 and 1 MiB. Negative: no limit. Raw
	// sockets have none: they are read as fast as their handler is.
	MessagesPerSecond int
	BytesPerSecond    int
	// SocketsPerAddress is how many sockets one IP address may hold; one more
	// is answered 429. It is off behind proxies that are not in
	// TrustedProxies, where all clients seem to have one address. Zero: no
	// limit, because whole offices and carriers share an address.
	SocketsPerAddress int
	// RoomsPerSocket is how many rooms a client may join; beyond it the client is
	// answered 409 too_many_rooms. The server may join it to any number besides.
	// Zero: 256.
	RoomsPerSocket int
	// Handshakes is how many upgrades may be under way at once, most of them
	// waiting for Authenticate; one more is answered 503 with Retry-After.
	// Zero: 1,000.
	Handshakes int
}

func (l *Limits) messagesPerSecond() int { return orDefault(l.MessagesPerSecond, 1000) }
func (l *Limits) bytesPerSecond() int    { return orDefault(l.BytesPerSecond, 1<<20) }
func (l *Limits) roomsPerSocket() int    { return orDefault(l.RoomsPerSocket, 256) }
func (l *Limits) handshakes() int        { return orDefault(l.Handshakes, 1000) }

func orDefault(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
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
