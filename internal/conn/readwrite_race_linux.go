//go:build linux && race

package conn

import (
	"syscall"
	"unsafe"
)

// Under the race detector the calls are those of package syscall, which tell
// it that what was written before a write has happened before what is done
// after a read. Else a test that is sound, because its server and its client
// only meet over a socket, would be told of a race.

func sysRead(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, err := syscall.Read(fd, b)
		switch errno, _ := err.(syscall.Errno); errno {
		case 0:
			return n, 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

func sysWrite(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, err := syscall.Write(fd, b)
		switch errno, _ := err.(syscall.Errno); errno {
		case 0:
			return n, 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

func sysWritev(fd int, v []syscall.Iovec) (total int, errno syscall.Errno) {
	for _, piece := range v {
		n, errno := sysWrite(fd, unsafe.Slice(piece.Base, piece.Len))
		total += n
		if errno != 0 || n < int(piece.Len) {
			if total > 0 {
				return total, 0
			}
			return 0, errno
		}
	}
	return total, 0
}
