package conn

import (
	"syscall"
	"unsafe"
)

// Like reading and writing, these calls are made without telling the scheduler
// that they might block: they never do.

// sysDup duplicates fd; the new one is closed on exec.
func sysDup(fd int) (int, error) {
	dup, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(dup), nil
}

// sysEpollWait looks without waiting.
func sysEpollWait(epfd int, events []syscall.EpollEvent) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

func sysEpollCtl(epfd, op, fd int, interest uint32, gen uint32) syscall.Errno {
	ev := syscall.EpollEvent{Events: interest, Fd: int32(fd), Pad: int32(gen)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno
}
