//go:build !linux

package conn

import "net"

// Listener returns l: only the epoll engine, on Linux, needs more of it.
func Listener(l net.Listener) net.Listener { return l }
