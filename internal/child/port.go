package child

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// claims are of the ports that were given. A claim is the port of the same number in
// UDP, which no server here uses: it is held while this program lives, also when the
// server on the port is down, and no program that asks FreePorts is given the port.
var (
	claims   []net.PacketConn
	claimsMu sync.Mutex
)

// FreePorts finds ports of the loopback on which nobody listens, none of which it
// has given before, here or in another program that still runs. They lie below those
// from which the kernel takes the near ends of connections: one of these may be taken
// before a server has started on it, or while it is down. Any goroutine may call it.
func FreePorts(n int) (ports []int, err error) {
	claimsMu.Lock()
	defer claimsMu.Unlock()
	for range 1000 + n {
		if len(ports) == n {
			return ports, nil
		}
		port := 12000 + rand.N(20000)
		if claim := claimed(port); claim != nil {
			claims = append(claims, claim)
			ports = append(ports, port)
		}
	}
	return nil, fmt.Errorf("there are no %d free ports", n)
}

// claimed claims a port, if nobody has.
func claimed(port int) net.PacketConn {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	claim, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		claim.Close()
		return nil
	}
	l.Close()
	return claim
}
