//go:build !unix

package conn

import "net"

func newRawSource(net.Conn) source { return nil }
