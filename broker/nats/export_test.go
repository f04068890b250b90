package nats

import "github.com/finch-go/finch/broker"

// What tests outside of the package look at.
var (
	TokenOf     = tokenOf
	NameOf      = nameOf
	HeaderOf    = headerOf
	TextOf      = textOf
	ParseHeader = parseHeader
	KeyID       = keyID
	TagOf       = tagOf
	AtLeast     = atLeast
	Redacted    = redacted
)

// PartitionOf a room.
func PartitionOf(room string, partitions int) int {
	return layout{partitions: partitions}.partition(room)
}

// ReadMark reads a mark and writes it again.
func ReadMark(text string, streams int) (string, bool) {
	m := readMark(broker.Mark(text), streams)
	if m == nil {
		return "", false
	}
	return string(m.text()), true
}
