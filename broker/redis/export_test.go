package redis

import "time"

// RoomKeys returns the names of a room's head and of its messages.
func RoomKeys(o Options, room string) (head, messages string) {
	o, _ = o.withDefaults()
	n := newNames(o.Namespace, o.Database, o.Partitions)
	return n.key(kindHead, room), n.key(kindMessages, room)
}

// Hasten makes a broker that has not been started look at things more often.
func Hasten(b *Broker, beat, lease, probe time.Duration) {
	b.rhythm.beat, b.rhythm.patience, b.rhythm.lease, b.rhythm.probe = beat, 2*beat, lease, probe
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
