// Package node is an app node as a process of its own, on either side: rooms with
// history and recovery, a socket's address, and addresses by which the harness has
// it publish. What differs between the sides is in two files; all else is shared.
package node
