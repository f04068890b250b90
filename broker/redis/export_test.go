package redis

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/finch-go/finch/broker"
)

// RoomKeys returns the names of a room's head and of its messages.
func RoomKeys(o Options, room string) (head, messages string) {
	o, _ = o.withDefaults()
	n := newNames(o.Namespace, o.Database, o.Partitions)
	return n.key(kindHead, room), n.key(kindMessages, room)
}

// Hasten makes a broker that has not been started look at things more often.
func Hasten(b *Broker, beat, lease, probe time.Duration) {
	b.rhythm.beat, b.rhythm.patience, b.rhythm.lease, b.rhythm.probe = beat, max(2*beat, 500*time.Millisecond), lease, probe
}

// Slots returns the hash slots of the partitions, and last of the system.
func Slots(o Options) (of []uint16) {
	o, _ = o.withDefaults()
	n := newNames(o.Namespace, o.Database, o.Partitions)
	for i := range o.Partitions + 1 {
		of = append(of, slotOf(n.tag(i)))
	}
	return of
}

// HastenKeeping makes a broker that has not been started look more often at what
// would expire.
func HastenKeeping(b *Broker, keep time.Duration) { b.rhythm.keep = keep }

// Crash ends a broker as a crash of its process does: nobody is told.
func Crash(b *Broker) {
	b.started.Store(false)
	b.end()
	b.silence()
	b.wait(context.Background())
}

// Rights are what the documentation says that a user needs.
const Rights = rights

// The parsers, for fuzzing.

func ParseRecord(room, text string) (broker.Message, error) { return parseRecord(room, text) }

func NewRecord(m broker.Message, epoch [8]byte) string {
	b := append([]byte{frameMessage}, epoch[:]...)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], m.Position.Offset)
	b = append(b, n[1:]...)
	b = binary.BigEndian.AppendUint64(b, m.Position.Tag)
	b = binary.BigEndian.AppendUint64(b, m.PrevTag)
	binary.BigEndian.PutUint64(n[:], uint64(m.At.UnixMilli()))
	b = append(b, n[2:]...)
	return string(appendTail(b, m.Key, m.From, m.Data))
}

func ParseFrame(text string) (kind byte, id uint64, name, rest string, err error) {
	f, err := parseFrame(text)
	return f.kind, f.id, f.text, f.rest, err
}

func NewFrame(kind byte, id uint64, name, rest string) string {
	return newFrame(kind, id, name, []byte(rest))
}

func ParseHead(text string) (broker.Position, error) {
	h, err := parseHead(text)
	return h.position, err
}

// ParseChannel and NewChannel know three partitions.
func ParseChannel(channel string) (kind byte, partition int, of string, ok bool) {
	return newNames("finch", 2, 3).parseChannel(channel)
}

func NewChannel(partition int, kind byte, of string) string {
	return newNames("finch", 2, 3).channelIn(partition, kind, of)
}

func ParseMember(member string) (n broker.NodeState, ok bool) { return parseMember(member) }

func MemberOf(n broker.NodeState) string { return memberOf(n) }

func RefuseInfo(text string) error { return parseInfo(text).refuse() }

func SharesKey(o Options, room string) string {
	o, _ = o.withDefaults()
	return newNames(o.Namespace, o.Database, o.Partitions).key(kindShares, room)
}

func RoomChannel(o Options, room string) string {
	o, _ = o.withDefaults()
	return newNames(o.Namespace, o.Database, o.Partitions).channel(kindRoom, room)
}

// Forget makes a broker think that it has prolonged no head yet.
func Forget(b *Broker) {
	for _, l := range b.lanes {
		l.mu.Lock()
		for _, in := range l.rooms {
			in.touched = 0
		}
		l.mu.Unlock()
	}
}
