package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// Messages are read in two ways: one at a time through the stream's leader, which
// knows all that was acknowledged; and many at a time from any replica, which may
// be behind, so that what comes is checked.

// A leaderQuestion asks the leader for one message.
type leaderQuestion struct {
	Sequence uint64 `json:"seq,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
	NextFor  string `json:"next_by_subj,omitempty"`
}

// A stored message as the leader gives it.
type stored struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Raw      []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	At       time.Time `json:"time"`
	Header   natsgo.Header
}

func (m *stored) record() record {
	return record{
		sequence: m.Sequence,
		tag:      tagOf(header(m.Header, headerTag), m.At.UTC().Format(time.RFC3339Nano)),
		at:       m.At,
		key:      textOf(header(m.Header, headerKey)),
		from:     textOf(header(m.Header, headerFrom)),
		data:     m.Data,
	}
}

// leaderGet asks the leader for one message. An apiError of codeNoMessage says
// that there is none.
func (b *Broker) leaderGet(ctx context.Context, stream string, q leaderQuestion) (*stored, error) {
	var answer struct {
		Message *stored `json:"message"`
	}
	if err := b.askAPI(ctx, "STREAM.MSG.GET."+stream, q, &answer); err != nil {
		return nil, err
	}
	if answer.Message == nil {
		return nil, fmt.Errorf("%w: no message in the answer of stream %s", errUnanswered, stream)
	}
	h, err := parseHeader(answer.Message.Raw)
	if err != nil {
		return nil, err
	}
	answer.Message.Header = h
	return answer.Message, nil
}

// parseHeader reads headers as NATS stores them: a line with its version, then
// lines as in MIME, an empty one at the end.
func parseHeader(raw []byte) (natsgo.Header, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	line, rest, ok := bytes.Cut(raw, []byte("\r\n"))
	if !ok || !strings.HasPrefix(string(line), "NATS/1.0") {
		return nil, errors.New("nats: a stored header is damaged")
	}
	h := natsgo.Header{}
	for {
		if line, rest, ok = bytes.Cut(rest, []byte("\r\n")); !ok || len(line) == 0 {
			return h, nil
		}
		key, value, ok := strings.Cut(string(line), ":")
		if !ok {
			return nil, errors.New("nats: a stored header is damaged")
		}
		h[key] = append(h[key], strings.TrimSpace(value))
	}
}

// A directQuestion asks any replica for several messages.
type directQuestion struct {
	Sequence  uint64     `json:"seq,omitempty"`
	StartTime *time.Time `json:"start_time,omitempty"`
	NextFor   string     `json:"next_by_subj,omitempty"`
	LastFor   []string   `json:"multi_last,omitempty"`
	Batch     int        `json:"batch,omitempty"`
	MaxBytes  int        `json:"max_bytes,omitempty"`
}

// A batch is what a replica answered.
type batch struct {
	messages []*natsgo.Msg
	pending  uint64 // more of them that it did not send
	upTo     uint64 // last sequence that the replica has, if it says so
	none     bool   // nothing matches
}

// mostLast is how many last messages of subjects a server sends: if there are more,
// none, and status 413.
const mostLast = 1024

// errBroken: a batch is not whole; asking again may help.
var errBroken = errors.New("nats: a batch of messages is not whole")

// directGet asks for a batch and collects it.
func (b *Broker) directGet(ctx context.Context, stream string, q directQuestion) (batch, error) {
	bound, cancel := b.link.bound(ctx, b.options.Timeout)
	defer cancel()
	silence := time.AfterFunc(b.options.Timeout/4, cancel)
	defer silence.Stop()
	body, err := json.Marshal(q)
	if err != nil {
		return batch{}, err
	}
	conn := b.link.conn
	inbox := conn.NewInbox()
	// With a queue of its own, as long as the answer may be: nats.go would make one
	// of half a megabyte. Subjects may have wildcards.
	most := q.Batch
	if most == 0 {
		most = mostLast
	}
	queue := make(chan *natsgo.Msg, most+2)
	sub, err := conn.ChanSubscribe(inbox, queue)
	if err != nil {
		return batch{}, unavailable("no connection to a server")
	}
	defer sub.Unsubscribe()
	if err := conn.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, body); err != nil {
		return batch{}, unavailable("no connection to a server")
	}
	var got batch
	for {
		var m *natsgo.Msg
		select {
		case m = <-queue:
		case <-bound.Done():
			switch {
			case ctx.Err() != nil:
				return batch{}, ctx.Err()
			case b.link.broken():
				return batch{}, unavailable("the connection to the server was lost")
			}
			return batch{}, fmt.Errorf("%w: no more of it came: %w", errBroken, context.Cause(bound))
		}
		silence.Reset(b.options.Timeout / 4)
		switch status := header(m.Header, headerStatus); status {
		case "":
			// A replica sends without regard to how fast we read: each message names
			// the one before it in the batch.
			before := uint64(0)
			if n := len(got.messages); n > 0 {
				before = number(got.messages[n-1].Header, headerSequence)
			}
			if number(m.Header, headerLast) != before {
				return batch{}, errBroken
			}
			got.messages = append(got.messages, m)
		case "204":
			got.pending, got.upTo = number(m.Header, headerPending), number(m.Header, headerUpTo)
			if n := len(got.messages); n > 0 && number(m.Header, headerLast) != number(got.messages[n-1].Header, headerSequence) {
				return batch{}, errBroken
			}
			return got, nil
		case "404":
			got.none = true
			return got, nil
		case "503":
			return batch{}, unavailable("nobody serves stream %s", stream)
		case "413":
			return batch{}, fmt.Errorf("nats: stream %s has too many answers", stream)
		default:
			return batch{}, fmt.Errorf("%w: status %s of stream %s", errBroken, status, stream)
		}
	}
}

// again calls try until it succeeds, asks in vain for too long, or fails for good.
// It is for replicas that are behind.
func (b *Broker) again(ctx context.Context, try func() error) error {
	deadline := time.Now().Add(b.options.Timeout)
	for n := 1; ; n++ {
		err := try()
		if err == nil || ctx.Err() != nil || !errors.Is(err, errBroken) && !errors.Is(err, errStale) || time.Now().After(deadline) {
			return err
		}
		if !pause(ctx, min(time.Duration(n)*10*time.Millisecond, 200*time.Millisecond)) {
			return ctx.Err()
		}
	}
}

// errStale: a replica has not yet what the leader has.
var errStale = errors.New("nats: a replica is behind")
