// Package redis is the broker of many nodes over Redis 7 or Valkey: one server,
// a pair behind Sentinel, or a Cluster. It needs nothing on the servers but their
// own commands: no module, no configuration.
//
//	b := redis.New(redis.Options{URL: "redis://127.0.0.1:6379"})
//
// # What stands where
//
// A room has a head (its epoch, the position of its last message, the profile of
// its history) and a list of its last messages, each of which holds all that it
// is: position, tag of its predecessor, time, data. One script records a publish:
// it looks for the publish key, takes the next offset, appends, trims, and
// publishes the same bytes on the room's channel, in one step. So offsets are
// dense, and the tag of the predecessor travels with every message.
//
// The head outlives the messages by Options.ForgetAfter, and for as long as a
// node has the room open. An epoch is random and made when a head is: a store
// that was emptied has other epochs, and one that lost its tail (replication is
// asynchronous) has other tags.
//
// Rooms are spread over Options.Partitions; all keys and channels of one
// partition live in one hash slot. In a Cluster a partition is subscribed to on
// the server that owns its slot, moves with it, and is told to be uncertain when
// it has moved.
//
// # What a user of the access list needs
//
// The keys and the channels of the namespace (a new user has no channels) and:
//
//	ACL SETUSER finch on >password ~finch:* &finch:* +@read +@write +@pubsub
//	    +@scripting +@connection +time +info +cluster|slots +cluster|shards
//
// # What it does not do
//
// It does not make Redis consistent: a server that fails over may lose what it
// had acknowledged, and then the tags tell readers so. To lose less, set
// min-replicas-to-write and appendfsync on the servers. It does not survive an
// eviction policy either: with maxmemory set, the policy is to be noeviction, and
// Start says so in the log if it is not.
package redis
