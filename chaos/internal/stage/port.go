package stage

import (
	"net"
	"sync"
)

var (
	taken   = map[int]bool{}
	takenMu sync.Mutex
)

// freePorts finds ports that nobody listens on, and that it has not given before.
func freePorts(n int) (ports []int, err error) {
	takenMu.Lock()
	defer takenMu.Unlock()
	for len(ports) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		if port := l.Addr().(*net.TCPAddr).Port; !taken[port] {
			taken[port] = true
			ports = append(ports, port)
		}
	}
	return ports, nil
}
