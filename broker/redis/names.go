package redis

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Kinds of keys and channels: the part of a name after the namespace.
const (
	kindHead     = 'h' // key: where a room stands
	kindMessages = 'm' // key: its history
	kindPublish  = 'k' // key: what was answered to a publish key
	kindShares   = 's' // key: how many members each node has

	kindRoom     = 'r' // channel: what happens in a room
	kindNode     = 'n' // channel: what is meant for one node
	kindProbe    = 'p' // channel: what a node says to itself
	kindEveryone = 'a' // channel: what is meant for every node
)

// systemTag is the hash tag of what belongs to no room.
const systemTag = "nodes"

// slots is how many hash slots a Cluster has.
const slots = 16384

// names makes and reads the names of keys and channels. A name is the namespace,
// its kind, the hash tag of its partition in braces, and what it belongs to:
// finch:h:{17}room. It does not change after newNames.
type names struct {
	keys     string // namespace and colon
	channels string // the same, and the database where it is not the first: channels know no database
	tags     []string
	index    map[string]int // of a tag; the system's is len(tags)
}

// newNames spreads partitions evenly over the hash slots, whose owners are
// ranges: the tag of partition i is the smallest number whose slot lies in the
// i-th part of all slots.
func newNames(namespace string, database, partitions int) *names {
	n := &names{keys: namespace + ":", channels: namespace + ":", tags: make([]string, partitions), index: map[string]int{systemTag: partitions}}
	if database != 0 {
		n.channels = namespace + "@" + strconv.Itoa(database) + ":"
	}
	for number, found := 0, 0; found < partitions; number++ {
		tag := strconv.Itoa(number)
		if i := int(slotOf(tag)) * partitions / slots; n.tags[i] == "" {
			n.tags[i], n.index[tag] = tag, i
			found++
		}
	}
	return n
}

// slotOf is the hash slot of a tag: CRC16 as XMODEM has it, of 16384 slots.
func slotOf(tag string) uint16 {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % slots
}

// partition is where a room, or a node's channel, belongs: FNV-1a of its name.
func (n *names) partition(name string) int {
	hash := uint64(14695981039346656037)
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * 1099511628211
	}
	hash ^= hash >> 32 // the low bits of FNV alone are worse than all
	return int(hash % uint64(len(n.tags)))
}

func (n *names) tag(partition int) string {
	if partition == len(n.tags) {
		return systemTag
	}
	return n.tags[partition]
}

// key names the key of a room.
func (n *names) key(kind byte, room string) string {
	return name(n.keys, kind, n.tags[n.partition(room)], room)
}

// publishKey names the key under which a publish is remembered that had the
// given id, in the room's partition.
func (n *names) publishKey(room string, id keyID) string {
	return name(n.keys, kindPublish, n.tags[n.partition(room)], base64.RawURLEncoding.EncodeToString(id[:]))
}

// system names a key that belongs to no room.
func (n *names) system(what string) string { return n.keys + "{" + systemTag + "}:" + what }

// channel names the channel of a room or of a node.
func (n *names) channel(kind byte, of string) string {
	return name(n.channels, kind, n.tags[n.partition(of)], of)
}

// channelIn names a channel of a partition that is not chosen by its name.
func (n *names) channelIn(partition int, kind byte, of string) string {
	return name(n.channels, kind, n.tag(partition), of)
}

func name(prefix string, kind byte, tag, rest string) string {
	var b strings.Builder
	b.Grow(len(prefix) + 4 + len(tag) + len(rest))
	b.WriteString(prefix)
	b.WriteByte(kind)
	b.WriteString(":{")
	b.WriteString(tag)
	b.WriteByte('}')
	b.WriteString(rest)
	return b.String()
}

// parseChannel takes a channel's name apart; ok is false if it is not one of
// ours.
func (n *names) parseChannel(channel string) (kind byte, partition int, of string, ok bool) {
	rest, ok := strings.CutPrefix(channel, n.channels)
	if !ok || len(rest) < 4 || rest[1:3] != ":{" {
		return 0, 0, "", false
	}
	tag, of, ok := strings.Cut(rest[3:], "}")
	if !ok {
		return 0, 0, "", false
	}
	partition, ok = n.index[tag]
	return rest[0], partition, of, ok
}
