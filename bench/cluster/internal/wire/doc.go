// Package wire is the load generator's end of a connection: raw WebSocket, and
// as much of each side's own protocol as a client needs to be in rooms, to know
// where it stands in them and to come back. Both sides cost the generator alike.
package wire
