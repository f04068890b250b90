package memory

import (
	"time"

	"github.com/finch-go/finch/broker"
)

// A room is one that a node has open, or that has had messages; no other room
// costs anything. It is guarded by its shard's lock.
type room struct {
	name  string
	epoch string
	nodes uint64 // bit i: the node in slot i has it open
	place int    // in its shard's order
	log   *log   // nil until the first publish
}

// A log is a room's history. Its offsets are dense: the message at index i has
// offset trimmed+1+i.
type log struct {
	records    queue[record]
	trimmed    uint64 // the newest offset that is not kept any more, and its tag
	trimmedTag uint64
	tag        uint64 // of the last message, kept or not
	commit     uint64 // the store's count at the last change
	used       int64  // when it was last published to, in nanoseconds since 1970
	profile    *broker.Profile
	// squeezed: messages left for another reason than age and size, so that a
	// short history proves nothing about why.
	squeezed bool
}

type record struct {
	tag  uint64
	at   int64
	key  string
	from string
	data []byte
}

// recordOverhead is about what a record costs beyond its data and strings.
const recordOverhead = 72

func (r *record) size() int64 {
	return int64(len(r.data)+len(r.key)+len(r.from)) + recordOverhead
}

func (l *log) top() uint64 { return l.trimmed + uint64(l.records.len()) }

// brokerHead makes the broker's head of the room.
func (r *room) brokerHead() broker.Head {
	h := broker.Head{Room: r.name, Position: r.head()}
	if l := r.log; l != nil && l.tag != 0 {
		h.At = time.Unix(0, l.used)
		if n := l.records.len(); n > 0 {
			h.At = time.Unix(0, l.records.at(n-1).at)
		}
	}
	return h
}

func (r *room) head() broker.Position {
	if r.log == nil {
		return broker.Position{Epoch: r.epoch}
	}
	return broker.Position{Epoch: r.epoch, Offset: r.log.top(), Tag: r.log.tag}
}

// message makes the broker's message of the record at index i.
func (r *room) message(i int) broker.Message {
	l := r.log
	rec := l.records.at(i)
	m := broker.Message{
		Room:     r.name,
		Position: broker.Position{Epoch: r.epoch, Offset: l.trimmed + 1 + uint64(i), Tag: rec.tag},
		Prev:     l.trimmed + uint64(i),
		PrevTag:  l.trimmedTag,
		Key:      rec.key,
		From:     rec.from,
		At:       time.Unix(0, rec.at),
		Data:     rec.data,
	}
	if i > 0 {
		m.PrevTag = l.records.at(i - 1).tag
	}
	return m
}

// drop trims the oldest record and returns its size.
func (l *log) drop() int64 {
	rec := l.records.pop()
	l.trimmed++
	l.trimmedTag = rec.tag
	return rec.size()
}

// expire trims what is too old and returns the bytes that it freed.
func (l *log) expire(now int64) (freed int64) {
	for l.profile.Age > 0 && l.records.len() > 0 && l.records.at(0).at+int64(l.profile.Age) <= now {
		freed += l.drop()
	}
	return freed
}

// mix is a bijection of 64 bits in which every bit of x moves every other (the
// finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// nextTag chains the tag of a message to the one before: the same offset taken
// twice has two tags, because commits are counted and never again the same.
func nextTag(before, salt, commit uint64, at int64) uint64 {
	tag := mix(mix(before^salt) + mix(commit^uint64(at)<<20))
	if tag == 0 {
		return 1
	}
	return tag
}
