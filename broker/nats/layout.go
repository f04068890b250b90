package nats

import (
	"strconv"
	"time"

	"github.com/finch-go/finch/broker"
)

// firstSequence is where the sequences of history streams begin: above any time
// in seconds for 250 years, so that the offset of an empty position, which is a
// time, is below that of any message.
const firstSequence = 10_000_000_000

// A layout gives the names of streams and subjects in a namespace:
//
//	NS.h.PROFILE.PARTITION.ROOM   recorded messages (streams NS_h_PROFILE_PARTITION)
//	NS.h.PROFILE.PARTITION.~NODE  soundings of a node
//	NS.l.ROOM, NS.l.~NODE         the same, republished, and what is sent to a room
//	NS.s.lease.NODE               leases (stream NS_state)
//	NS.s.epoch.ROOM, NS.s.epoch.~STREAM   purges, and streams made anew
//	NS.w.KIND.NAME                the same, republished
//	NS.share.ROOM.NODE            shares (stream NS_shares)
//	NS.all, NS.n.NODE, NS.a.NODE  what is sent to everyone and to a node, questions
type layout struct {
	ns         string
	partitions int
}

func (l layout) stateStream() string  { return l.ns + "_state" }
func (l layout) sharesStream() string { return l.ns + "_shares" }

func (l layout) history(profile string, partition int) string {
	return l.ns + "_h_" + tokenOf(profile) + "_" + strconv.Itoa(partition)
}

// historyPrefix is what a room's token is appended to.
func (l layout) historyPrefix(profile string, partition int) string {
	return l.ns + ".h." + tokenOf(profile) + "." + strconv.Itoa(partition) + "."
}

func (l layout) live() string               { return l.ns + ".l." }
func (l layout) lease(node string) string   { return l.ns + ".s.lease." + node }
func (l layout) epoch(token string) string  { return l.ns + ".s.epoch." + token }
func (l layout) watch() string              { return l.ns + ".w.*.*" }
func (l layout) everyone() string           { return l.ns + ".all" }
func (l layout) node(id string) string      { return l.ns + ".n." + id }
func (l layout) questions(id string) string { return l.ns + ".a." + id }
func (l layout) share(token, node string) string {
	return l.ns + ".share." + token + "." + node
}

// partition of a room. All nodes of all versions must agree on it.
func (l layout) partition(room string) int {
	return int(hashOf(room) % uint32(l.partitions))
}

// keptOnDisk is how long a message of a profile stays in its stream; 0 is for
// ever. A profile without history keeps its last message as the room's head.
func keptOnDisk(p *broker.Profile, forgetAfter time.Duration) time.Duration {
	if p.Age == 0 && p.Size > 0 {
		return 0
	}
	return max(p.Age, forgetAfter)
}

// depth is how many messages of a room its stream keeps: one more than the
// profile says, because the one before the oldest proves what the oldest follows.
func depth(p *broker.Profile) int { return p.Size + 1 }
