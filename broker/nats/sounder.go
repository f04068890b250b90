package nats

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// A sounding is a message that a node writes for itself. It takes the way of
// every publish: to the leader, through a quorum, back through the node's live
// subscription. So it tells what no question to a server can: that all which was
// acknowledged before is below its sequence, that the leader knows every
// subscription that this connection made before, and whether that way works. The
// store refuses it if it has lost the sounding before.

// soundingTTL is how long a sounding stays; soundingTrust is how long after it
// the next one expects to find it there.
const (
	soundingTTL   = 10 * time.Minute
	soundingTrust = 5 * time.Minute
)

// A sounder is a stream's memory of its last sounding.
type sounder struct {
	sounding sync.Mutex
	last     uint64 // sequence of the last sounding, 0 if it may have been lost on the way
	at       time.Time
}

// sound writes a sounding and returns its sequence.
func (b *Broker) sound(ctx context.Context, s *stream) (uint64, error) {
	s.sounding.Lock()
	defer s.sounding.Unlock()
	m := natsgo.NewMsg(s.prefix + "~" + b.id)
	m.Header[headerTag] = []string{strconv.FormatUint(newTag(), 16)}
	m.Header[headerTTL] = []string{soundingTTL.String()}
	expects := s.last != 0 && time.Since(s.at) < soundingTrust
	if expects {
		m.Header[headerExpected] = []string{strconv.FormatUint(s.last, 10)}
	}
	at, seen := time.Now(), s.seen.Load()
	ack, err := b.store(ctx, m)
	if expects && isCode(err, codeLastSequence) {
		b.lost(s, "it does not have this node's last sounding")
		delete(m.Header, headerExpected)
		ack, err = b.store(ctx, m)
	}
	if err != nil {
		s.last = 0
		return 0, err
	}
	if ack.Sequence <= seen {
		b.lost(s, "its sequence went back")
		s.seen.Store(ack.Sequence)
	}
	s.last, s.at = ack.Sequence, at
	s.saw(ack.Sequence)
	return ack.Sequence, nil
}

// lost says that a stream lost messages that it had acknowledged.
func (b *Broker) lost(s *stream, how string) {
	b.log.Error("nats: the stream has lost messages that it had acknowledged", "stream", s.name, "how", how)
	b.forgetPartition(s.partition)
	b.doubt(b.openRooms(s.partition), errLostMessages)
}

// barrier returns when the stream's leader knows every subscription that this
// connection has made: it has read this after them, on the same way. The message
// is one that it refuses, so that nothing is written.
func (b *Broker) barrier(ctx context.Context, s *stream) error {
	m := natsgo.NewMsg(s.prefix + "~" + b.id)
	m.Header[headerExpectedIn] = []string{"none"}
	_, err := b.store(ctx, m)
	if isCode(err, codeOtherStream) {
		return nil
	}
	if err == nil {
		return errors.New("nats: the stream takes messages that are for another")
	}
	return err
}

var (
	errLostMessages = errors.New("nats: the store has lost messages")
	errStreamAnew   = errors.New("nats: a stream was made anew")
	errSlow         = errors.New("nats: this node was too slow for what came")
	errReconnected  = errors.New("nats: the connection was made anew")
	errLeader       = errors.New("nats: a stream has a new leader")
	errRecovered    = errors.New("nats: the store works again")
)
