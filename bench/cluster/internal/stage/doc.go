// Package stage holds the processes of a measurement, each on the loopback and in
// a directory of its own: app nodes, and the servers of a broker. They end with
// the harness, however it ends.
package stage
