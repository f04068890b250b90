// Package link is the network between the nodes and the store: proxies on the
// loopback that cut connections, slow them, stop them in one direction, and lose
// single messages that were pushed.
//
// It is not a simulation of TCP: a direction that is stopped waits and loses
// nothing, as a real one does that comes back before its connection times out.
package link
