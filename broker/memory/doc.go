// Package memory is the broker of a single process: history in rings, publish
// keys in a table, nothing on disk and no goroutine of its own. It is the
// default, and what is lost when the process ends is all of it: the next process
// has other epochs, so that whoever comes back is told to start anew.
//
// Several nodes inside one process share a [Cluster]: that is how tests run many
// nodes, in virtual time if they like.
//
//	b := memory.New(nil)           // one node alone
//
//	c := memory.NewCluster(nil)    // or several
//	b1, b2 := c.Node(), c.Node()
package memory
