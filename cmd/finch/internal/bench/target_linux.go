package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
)

// socketsPerSource is how many sockets share one source address on the
// loopback. The kernel has 28,000 ports for each and searches the longer the
// fewer are free.
const socketsPerSource = 4000

// A target is where sockets lead to and come from.
type target struct {
	at      netip.AddrPort
	addr    syscall.Sockaddr // the same, for system calls; used by one goroutine
	family  int
	sources []netip.Addr // none: the kernel chooses
}

// lookUp finds the address of the server. On the loopback the sockets come from
// 127.0.0.2 and the following, so that they are not short of ports.
func lookUp(ctx context.Context, u *url.URL, sockets int) (*target, error) {
	portText := u.Port()
	if portText == "" {
		portText = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 1 || port > 65535 {
		return nil, fmt.Errorf("--url %s: there is no port %s", u, portText)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("--url %s: %w", u, err)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("--url %s: the host has no address", u)
	}
	at := addrs[0].Unmap()
	for _, a := range addrs {
		if a.Unmap().Is4() { // localhost: the family that servers listen on most
			at = a.Unmap()
			break
		}
	}
	t := &target{at: netip.AddrPortFrom(at, uint16(port)), addr: sockaddr(at, port), family: syscall.AF_INET}
	if at.Is6() {
		t.family = syscall.AF_INET6
	}
	if at.Is4() && at.IsLoopback() {
		for n := 0; n <= sockets/socketsPerSource; n++ {
			t.sources = append(t.sources, netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + n%250)}))
		}
	}
	return t, nil
}

func sockaddr(a netip.Addr, port int) syscall.Sockaddr {
	if a.Is4() {
		return &syscall.SockaddrInet4{Port: port, Addr: a.As4()}
	}
	return &syscall.SockaddrInet6{Port: port, Addr: a.As16()}
}

// ipBindAddressNoPort lets the kernel choose the port when the other end is
// known, so that one port serves several ends (ip(7), IP_BIND_ADDRESS_NO_PORT).
const ipBindAddressNoPort = 24

// bind gives the n-th socket its source.
func (t *target) bind(fd, n int) error {
	if len(t.sources) == 0 {
		return nil
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
	return syscall.Bind(fd, sockaddr(t.sources[n%len(t.sources)], 0))
}

// smallBuffer is the receive buffer of a socket that will not read: the server
// shall soon notice.
const smallBuffer = 4 << 10

// dial begins to connect the n-th socket. It does not wait: done is false if
// the socket will become writable later.
func (t *target) dial(n int, small bool) (fd int, done bool, err error) {
	fd, err = syscall.Socket(t.family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, syscall.EMFILE) {
			return -1, false, fmt.Errorf("this process may not open more files: raise `ulimit -n`, or open fewer sockets (%w)", err)
		}
		return -1, false, err
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if small {
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallBuffer)
	}
	if err := t.bind(fd, n); err != nil {
		syscall.Close(fd)
		return -1, false, err
	}
	switch err := syscall.Connect(fd, t.addr); err {
	case nil:
		return fd, true, nil
	case syscall.EINPROGRESS:
		return fd, false, nil
	default:
		syscall.Close(fd)
		return -1, false, err
	}
}
