package nats

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// A storeAck is what a stream answers to a publish.
type storeAck struct {
	Sequence  uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
	Error     *apiError `json:"error"`
}

// store publishes a message and waits for the stream's answer.
func (b *Broker) store(ctx context.Context, m *natsgo.Msg) (storeAck, error) {
	answer, err := b.publish(ctx, m)
	if err != nil {
		if errors.Is(err, broker.ErrUnavailable) {
			b.kick() // perhaps the stream is gone
		}
		return storeAck{}, err
	}
	var ack storeAck
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return storeAck{}, fmt.Errorf("%w: the stream answers what is not JSON", errUnanswered)
	}
	if ack.Error != nil {
		return storeAck{}, ack.Error
	}
	if ack.Sequence == 0 {
		return storeAck{}, fmt.Errorf("%w: the stream answers without a sequence", errUnanswered)
	}
	return ack, nil
}

// Publish is documented at broker.Broker. If the message that a key recorded has
// left the disk when the key comes again, its data cannot be compared any more:
// the repetition is then taken for the same message.
func (b *Broker) Publish(ctx context.Context, room string, data []byte, o broker.PublishOptions) (broker.Ack, error) {
	if err := b.ready(ctx, room); err != nil {
		return broker.Ack{}, err
	}
	if len(data) > b.maxPayload() {
		return broker.Ack{}, broker.ErrTooLarge
	}
	s := b.streamFor(room, o.Profile)
	if s == nil {
		return broker.Ack{}, broker.ErrUnknownProfile
	}
	if s.sick.Load() {
		return broker.Ack{}, unavailable("stream %s takes no message now", s.name)
	}
	token, tag := tokenOf(room), newTag()
	m := &natsgo.Msg{Subject: s.prefix + token, Data: data, Header: make(natsgo.Header, 4)}
	m.Header[headerTag] = []string{strconv.FormatUint(tag, 16)}
	if o.From != "" {
		m.Header[headerFrom] = []string{headerOf(o.From)}
	}
	if o.Key != "" {
		m.Header[headerKey] = []string{headerOf(o.Key)}
		m.Header[headerMsgID] = []string{keyID(room, o.Publisher, o.Key)}
	}
	ack, err := b.store(ctx, m)
	if err != nil {
		if errors.Is(err, errTimeout) {
			b.sicken(s, err)
		}
		return broker.Ack{}, publishError(ctx, err)
	}
	position := broker.Position{Epoch: b.epochs.of(token, s.partition), Offset: ack.Sequence, Tag: tag}
	if ack.Duplicate {
		return b.repeated(ctx, s, m, position)
	}
	s.saw(ack.Sequence)
	return broker.Ack{Position: position}, nil
}

// publishError says what is known of a publish that was not acknowledged.
func publishError(ctx context.Context, err error) error {
	e, refused := errors.AsType[*apiError](err)
	switch {
	case errors.Is(err, broker.ErrUnavailable), errors.Is(err, broker.ErrTooLarge):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, ctx.Err())
	case !refused:
		return fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, err)
	case e.Code == codeMessageTooLarge:
		return fmt.Errorf("%w: %w", broker.ErrTooLarge, err)
	case e.Code == codeAccountResources, e.Code == codeServerResources, e.Code == codeStorageResources, e.Code == codeNoStorageMemory, e.Code == codeNotLeader, e.Code == codeNoQuorum:
		// These are found before anything is written.
		return fmt.Errorf("%w: nats: the stream takes no message: %w", broker.ErrUnavailable, err)
	}
	// Among them: the first try of this key is still on its way to the replicas.
	return fmt.Errorf("%w: nats: %w", broker.ErrUnknownOutcome, err)
}

// keyID is what a stream remembers of a publish key. All rooms of a stream share
// that memory, so room and publisher are part of it. It is a cryptographic hash
// because the three are chosen by clients: whoever could make two of them meet
// could make another's message vanish as a repetition.
func keyID(room, publisher, key string) string {
	b := make([]byte, 0, 256)
	for _, part := range [...]string{room, publisher, key} {
		b = binary.AppendUvarint(b, uint64(len(part))) // so that "a"+"bc" is not "ab"+"c"
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// repeated answers a publish whose key was used before: the stored message tells
// whether it is the same one, and its tag.
func (b *Broker) repeated(ctx context.Context, s *stream, m *natsgo.Msg, position broker.Position) (broker.Ack, error) {
	first, err := b.leaderGet(ctx, s.name, leaderQuestion{Sequence: position.Offset})
	switch {
	case isCode(err, codeNoMessage):
		// It has left the disk. No reader can go on from there, so that any tag will do.
		h := fnv.New64a()
		h.Write([]byte(header(m.Header, headerMsgID)))
		position.Tag = h.Sum64() | 1
		return broker.Ack{Position: position, Duplicate: true}, nil
	case ctx.Err() != nil:
		return broker.Ack{}, fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, ctx.Err())
	case err != nil:
		return broker.Ack{}, fmt.Errorf("%w: the key is known, but its message cannot be read: %w", broker.ErrUnknownOutcome, err)
	case first.Subject != m.Subject || header(first.Header, headerMsgID) != header(m.Header, headerMsgID):
		return broker.Ack{}, fmt.Errorf("%w: nats: the stream names another message for the key", broker.ErrUnknownOutcome)
	case !bytes.Equal(first.Data, m.Data):
		return broker.Ack{}, broker.ErrKeyReused
	}
	position.Tag = first.record().tag
	return broker.Ack{Position: position, Duplicate: true}, nil
}
