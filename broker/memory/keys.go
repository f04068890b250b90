package memory

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// keys remembers what was answered to publishes that had a key. It is bounded by
// time and by count; the oldest go first.
type keys struct {
	window time.Duration
	most   int

	mu        sync.Mutex
	answers   map[keyID]answer
	order     queue[remembered] // one for each answer
	shortened uint64            // answers that went before their time
}

// A keyID stands for room, publisher and key. It is a cryptographic hash because
// the three are chosen by clients: whoever could make two of them meet could
// make another's message vanish as a repetition.
type keyID [16]byte

type answer struct {
	position broker.Position
	data     uint64 // hash of what was published
}

type remembered struct {
	id keyID
	at int64 // nanoseconds since 1970
}

// dataSeed belongs to the process, so that no client can look for two messages
// that hash alike.
var dataSeed = maphash.MakeSeed()

func newKeyID(room, publisher, key string) keyID {
	b := make([]byte, 0, 256)
	for _, part := range [...]string{room, publisher, key} {
		b = binary.AppendUvarint(b, uint64(len(part))) // so that "a"+"bc" is not "ab"+"c"
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return keyID(sum[:16])
}

// find returns the answer that was given under id, if it is remembered.
func (k *keys) find(id keyID, now int64) (answer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.order.len() > 0 && k.order.at(0).at+int64(k.window) <= now {
		delete(k.answers, k.order.pop().id)
	}
	a, ok := k.answers[id]
	return a, ok
}

// remember keeps the answer given under id, which find has not found.
func (k *keys) remember(id keyID, a answer, now int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.order.len() >= k.most {
		delete(k.answers, k.order.pop().id)
		k.shortened++
	}
	k.answers[id] = a
	k.order.push(remembered{id, now})
}
