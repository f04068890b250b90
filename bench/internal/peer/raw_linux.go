package peer

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"unsafe"

	"github.com/finch-go/finch/internal/frame"
)

// The raw loop is the limit: epoll, and one write for each member and message.
// It has no queue, no limit, no deadline and no care for anyone who is slow: a
// write that finds no room waits. No server that does has less to do.

type rawSocket struct {
	fd     int
	room   *rawRoom // nil: it gets back what it sends
	parser frame.Parser
}

// rawRoom is who gets what one of them sends.
type rawRoom struct{ members []*rawSocket }

type rawLoop struct {
	epfd    int
	mu      sync.Mutex // guards what the handshakes add
	sockets map[int32]*rawSocket
	rooms   map[string]*rawRoom // by the query's room
}

func mountRaw(mux *http.ServeMux) error {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	l := &rawLoop{epfd: epfd, sockets: map[int32]*rawSocket{}, rooms: map[string]*rawRoom{}}
	go l.run()
	for path, all := range map[string]bool{"/echo": false, "/all": true} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { l.accept(w, r, all) })
	}
	return nil
}

func (l *rawLoop) accept(w http.ResponseWriter, r *http.Request, all bool) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer nc.Close()
	fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return
	}
	fd := -1
	if err := raw.Control(func(of uintptr) { fd, err = syscall.Dup(int(of)) }); err != nil || fd < 0 {
		return
	}
	s := &rawSocket{fd: fd}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets[int32(fd)] = s
	if all {
		l.enter(s, r.URL.Query().Get("room"))
	}
	_ = syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

func (l *rawLoop) enter(s *rawSocket, name string) {
	if s.room = l.rooms[name]; s.room == nil {
		s.room = new(rawRoom)
		l.rooms[name] = s.room
	}
	s.room.members = append(s.room.members, s)
}

func (l *rawLoop) run() {
	runtime.LockOSThread()
	events, buf := make([]syscall.EpollEvent, 256), make([]byte, 64<<10)
	var out []byte
	for {
		n, err := syscall.EpollWait(l.epfd, events, -1)
		if err != nil && err != syscall.EINTR {
			fmt.Fprintln(os.Stderr, "raw loop:", err)
			os.Exit(1)
		}
		l.mu.Lock()
		for i := range max(n, 0) {
			s := l.sockets[events[i].Fd]
			if s == nil {
				continue
			}
			n, errno := call(syscall.SYS_READ, s.fd, buf)
			if errno == syscall.EAGAIN || errno == syscall.EINTR {
				continue
			}
			var open bool
			if out, open = l.take(s, buf[:n], out[:0]); n == 0 || !open {
				l.drop(s)
			}
		}
		l.mu.Unlock()
	}
}

// take handles what was read; false is the end of the socket.
func (l *rawLoop) take(s *rawSocket, b, out []byte) ([]byte, bool) {
	open := true
	for len(b) > 0 {
		ev, n, err := s.parser.Next(&frame.Config{}, b)
		if err != nil {
			return out, false
		}
		b = b[n:]
		switch ev.Opcode {
		case frame.Text, frame.Binary:
			if s.room == nil {
				out = frame.AppendFrame(out, ev.Opcode, ev.Payload)
				continue
			}
			out = frame.AppendFrame(out[:0], ev.Opcode, ev.Payload)
			for _, m := range s.room.members {
				writeAll(m.fd, out)
			}
			out = out[:0]
		case frame.Ping:
			out = frame.AppendFrame(out, frame.Pong, bytes.Clone(ev.Payload))
		case frame.Close:
			out, open = frame.AppendClose(out, 1000, ""), false
		}
	}
	writeAll(s.fd, out)
	return out, open
}

func (l *rawLoop) drop(s *rawSocket) {
	delete(l.sockets, int32(s.fd))
	if room := s.room; room != nil {
		i := slices.Index(room.members, s)
		last := len(room.members) - 1
		room.members[i] = room.members[last]
		room.members = room.members[:last]
	}
	syscall.Close(s.fd)
}

// writeAll writes everything, however long that takes.
func writeAll(fd int, b []byte) {
	for len(b) > 0 {
		n, errno := call(syscall.SYS_WRITE, fd, b)
		switch errno {
		case 0:
			b = b[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			waitWritable(fd)
		default:
			return
		}
	}
}

// pollOut is POLLOUT of poll(2).
const pollOut = 4

func waitWritable(fd int) {
	p := struct {
		fd              int32
		events, revents int16
	}{int32(fd), pollOut, 0}
	at := syscall.Timespec{Sec: 1}
	_, _, _ = syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
}

func call(number uintptr, fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
