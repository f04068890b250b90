// Package finch is a realtime framework: a [SocketManager] accepts WebSocket
// connections, gives each text an event path, and sends to one socket, to all
// devices of a user, to a room or to everyone.
package finch
