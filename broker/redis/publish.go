package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// A keyID stands for room, publisher and key. It is a cryptographic hash because
// the three are chosen by clients: whoever could make two of them meet could
// make another's message vanish as a repetition.
type keyID [16]byte

func newKeyID(room, publisher, key string) keyID {
	b := make([]byte, 0, 256)
	for _, part := range [...]string{room, publisher, key} {
		b = appendText(b, part) // its length too, so that "a"+"bc" is not "ab"+"c"
	}
	sum := sha256.Sum256(b)
	return keyID(sum[:16])
}

// Publish is documented at broker.Broker. While a Cluster moves the room to
// another server it waits, no longer than Options.Timeout.
func (b *Broker) Publish(ctx context.Context, room string, data []byte, o broker.PublishOptions) (broker.Ack, error) {
	if err := b.ready(ctx, room); err != nil {
		return broker.Ack{}, err
	}
	if len(data) > b.options.MaxPayload {
		return broker.Ack{}, broker.ErrTooLarge
	}
	profile := b.profiles[o.Profile]
	if profile == nil {
		return broker.Ack{}, broker.ErrUnknownProfile
	}
	var fresh [16]byte // a tag, and an epoch in case that the room begins now
	rand.Read(fresh[:])
	if binary.BigEndian.Uint64(fresh[:]) == 0 {
		fresh[0] = 1 // a tag is never zero
	}
	tail := appendTail(make([]byte, 0, len(data)+len(o.Key)+len(o.From)+2*binary.MaxVarintLen64), o.Key, o.From, data)
	keys := make([]string, 2, 3)
	keys[0], keys[1] = b.names.key(kindHead, room), b.names.key(kindMessages, room)
	order := append(append(make([]byte, 0, orderSize), fresh[:]...), profile[:]...)
	if o.Key != "" {
		keys = append(keys, b.names.publishKey(room, newKeyID(room, o.Publisher, o.Key)))
		sum := sha256.Sum256(data)
		order = appendNumber(append(order, sum[:16]...), milliseconds(b.options.DedupeWindow), 6)
	}
	answer, err := b.run(ctx, publishScript, keys, []string{b.names.channel(kindRoom, room), textOf(order), textOf(tail)}).ToString()
	switch {
	case err != nil:
		return broker.Ack{}, b.unknown(ctx, err)
	case len(answer) != 1+placeSize:
		return broker.Ack{}, b.unknown(ctx, errBadRecord)
	case answer[0] == '!':
		return broker.Ack{}, broker.ErrKeyReused
	}
	return broker.Ack{Position: parsePlace(answer[1:]), Duplicate: answer[0] == '='}, nil
}

// The publish script is told what to do by an order, all in one, because each
// argument of a script costs the server time:
//
//	tag                                       8 bytes
//	epoch of a room that begins now           8 bytes
//	size (3), age (5) of the profile          in milliseconds; an age of 0 removes none
//	how long the head is kept                 6 bytes, in milliseconds; 0 for ever
//	hash of the data                          16 bytes, if the message has a key, and
//	how long that is remembered               6 bytes, in milliseconds
const orderSize = 8 + 8 + profileSize + 16 + 6

const profileSize = 3 + 5 + 6

// A scriptProfile is a profile as it stands in an order.
type scriptProfile [profileSize]byte

// newScriptProfile: a head is kept for as long as the messages, and ForgetAfter;
// where nothing ever removes the messages, for ever.
func newScriptProfile(p broker.Profile, forgetAfter time.Duration) *scriptProfile {
	var age, keep time.Duration
	if p.Size == 0 {
		keep = forgetAfter
	} else if p.Age > 0 {
		age, keep = p.Age, p.Age+forgetAfter
	}
	s := appendNumber(make([]byte, 0, profileSize), int64(p.Size), 3)
	s = appendNumber(s, milliseconds(age), 5)
	return (*scriptProfile)(appendNumber(s, milliseconds(keep), 6))
}

// milliseconds rounds up, because zero has a meaning of its own.
func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

func inMilliseconds(d time.Duration) string { return strconv.FormatInt(milliseconds(d), 10) }

// Purge is documented at broker.Broker.
func (b *Broker) Purge(ctx context.Context, room string) error {
	if err := b.ready(ctx, room); err != nil {
		return err
	}
	keys := []string{b.names.key(kindHead, room), b.names.key(kindMessages, room)}
	args := []string{b.names.channel(kindRoom, room), emptyHead(newEpoch()), inMilliseconds(b.options.ForgetAfter), newFrame(framePurged, 0, "", nil)}
	if err := b.run(ctx, purgeScript, keys, args).Error(); err != nil {
		return b.unknown(ctx, err)
	}
	return nil
}

func newEpoch() (e rawEpoch) {
	rand.Read(e[:]) // never fails
	return e
}

// run runs a script, again and again while the slot of its keys is between two
// servers of a Cluster. A script that has more than one key is refused then,
// unless all of them are on the same side.
func (b *Broker) run(ctx context.Context, script *rueidis.Lua, keys, args []string) rueidis.RedisResult {
	pause := newPause(5*time.Millisecond, 100*time.Millisecond)
	deadline := time.Time{}
	for {
		result := script.Exec(ctx, b.client(), keys, args)
		refused, ok := rueidis.IsRedisErr(result.Error())
		if !ok || !refused.IsTryAgain() {
			return result
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(b.options.Timeout)
		}
		if time.Now().After(deadline) || !pause.wait(ctx, nil) {
			return result
		}
	}
}
