package stage

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

var (
	taken   = map[int]bool{}
	takenMu sync.Mutex
)

// freePorts finds ports on which nobody listens, and that were not given before.
// They lie below those from which the kernel takes the near ends of connections.
func freePorts(n int) (ports []int, err error) {
	takenMu.Lock()
	defer takenMu.Unlock()
	for range 1000 {
		port := 12000 + rand.N(20000)
		if taken[port] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		taken[port] = true
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("there are no %d free ports", n)
}
