// Package stage holds the processes of a run and the links between them: nodes,
// the servers of a store, and what can be done to them.
package stage
