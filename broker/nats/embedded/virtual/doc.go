// Package virtual holds those tests of package broker/nats that need the clock of
// testing/synctest: what happens in a minute, or in an hour, takes a moment. They
// run without the race detector, which bubbles of this size make fail now and then
// (Go issue 78156); what they have in common with the tests of package
// embedded runs with it there.
package virtual
