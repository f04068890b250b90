// Package nats joins Finch's nodes through NATS JetStream. It is a
// [broker.Broker] for an external server or cluster; package broker/nats/embedded
// is the same with the server inside the process.
//
//	m := finch.NewSocketManager(&finch.SocketManagerOptions{
//		Broker: nats.New(nats.Options{URL: "nats://nats-1,nats://nats-2,nats://nats-3"}),
//	})
//
// It needs a server of version 2.11 or newer with JetStream switched on, and
// nothing prepared: it makes its streams itself. No consumer is made, so that a
// room costs the servers nothing but its messages and one subscription for each
// node that has it open.
//
// Where the servers give each user permissions, Finch's needs to publish to
// $JS.API.> and NAMESPACE.>, and to subscribe to NAMESPACE.>, _INBOX.> and
// $JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>.
//
// # How a message travels
//
// Publish writes to a stream, one for each history profile and partition of the
// rooms. The stream's leader puts the message in order and republishes it on the
// room's live subject, with its sequence and that of the message before it in
// the room. Nodes subscribe to the live subjects of the rooms that they have
// open, and to no other.
//
// # Positions
//
// The offset of a message is its sequence in the stream. Its tag is 64 random
// bits that the publishing node put into a header: with the acknowledgement the
// publisher knows the whole position, and a message that takes the sequence of
// one that the store has lost has another tag. The offset of an empty position is the
// time at which the room was found empty, in seconds; sequences begin above any
// such time. As long as messages stay on disk, and Options.MaxBytes is not set, it
// proves something without a look at the stream: that a message for which the
// stream knows no predecessor follows it, and that a reader who comes back to a
// room that is still empty has missed nothing.
//
// # How long messages stay
//
// Profile.Age bounds what readers see. On disk a message stays for
// Options.ForgetAfter if that is longer, so that a reader who comes back to a
// quiet room is known to have missed nothing.
package nats
