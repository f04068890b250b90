// Package feed puts the messages of one room in order on one node: it finds what
// is missing, drops what came twice, and decides for each member that returns
// with a position whether it can go on from there or must be told to start anew.
// It does so for every broker alike, once per room and node, never per member.
//
// A [Feed] is a step machine: events go in, calls to its [Room] and [Request]s
// come out. It has no goroutine, no lock, no clock and no randomness, and it
// never calls a broker; whoever drives it does, so that a seed repeats a run. A
// [Runner] is the driver that a program uses.
//
// # The promise
//
// What a Feed emits in one epoch is strictly increasing, without gaps and
// without repetitions. A member is attached at a point of it that both know, and
// from there on gets every message; or it is restarted at a known point, before
// any later message, with the reason. A restart is never left out by hope: only
// what a page of the broker proves (broker.Page.Follow), or the feed's own
// knowledge, lets a member go on. Nor is it done in haste: an answer of the broker
// that contradicts what the feed emitted, or denies a member's position, may be
// stale, and is asked again several times before it is believed.
package feed
