package child

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

var (
	given   = map[int]bool{}
	givenMu sync.Mutex
)

// FreePorts finds ports of the loopback on which nobody listens, none of which it
// has given before. They lie below those from which the kernel takes the near ends
// of connections: one of these may be taken before a server has started on it, or
// while it is down. Any goroutine may call it.
func FreePorts(n int) (ports []int, err error) {
	givenMu.Lock()
	defer givenMu.Unlock()
	for range 1000 + n {
		if len(ports) == n {
			return ports, nil
		}
		port := 12000 + rand.N(20000)
		if given[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		l.Close()
		given[port] = true
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("there are no %d free ports", n)
}
