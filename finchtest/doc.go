// Package finchtest helps programs test their sockets without a port, a
// browser or a sleep: a [Client] connects to a handler through an in-memory
// pipe, sends events and expects others.
//
// It works in any test, and best inside [testing/synctest], where "nothing
// arrives" is a fact and not a guess about time:
//
//	func TestAMessageReachesTheOtherTab(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			sockets := newSockets()
//			ann := finchtest.Connect(t, sockets, finch.Identity{User: "ann"})
//			bob := finchtest.Connect(t, sockets, finch.Identity{User: "bob"})
//			ann.Send("chat", Line{"Ann", "hello"})
//			var got Line
//			bob.Expect("chat", &got)
//			bob.ExpectNothing()
//		})
//	}
//
// It is not a client for real networks.
package finchtest
