package conn

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Listener lets connections of l be served by epoll below TLS: give the result
// to [tls.NewListener] or [http.Server.ServeTLS]. Without it a TLS connection
// costs a goroutine. Everything else works as before.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if tcp, ok := nc.(*net.TCPConn); ok && err == nil {
		return newWire(tcp), nil
	}
	return nc, err
}

// wire is what a tls.Conn reads from and writes to. It begins as a plain TCP
// connection, on which handshake and request take place, and changes when the
// epoll engine adopts it: then it never blocks. A read that would answers an
// error that a tls.Conn takes for temporary, and goes on from next time; a
// write, after which a tls.Conn would not go on, always takes everything.
type wire struct {
	tcp    atomic.Pointer[net.TCPConn] // nil once adopted, and then forgotten with all it holds
	secure atomic.Pointer[secure]      // nil until adopted
}

func newWire(tcp *net.TCPConn) *wire {
	w := new(wire)
	w.tcp.Store(tcp)
	return w
}

// errAgain is a net.Error: that is how a tls.Conn knows that reading may be
// tried again.
type errAgain struct{}

func (errAgain) Error() string   { return "nothing to read for now" }
func (errAgain) Timeout() bool   { return true }
func (errAgain) Temporary() bool { return true }

func (w *wire) Read(b []byte) (int, error) {
	if x := w.secure.Load(); x != nil {
		return x.read(b)
	}
	if tcp := w.tcp.Load(); tcp != nil {
		return tcp.Read(b)
	}
	return 0, net.ErrClosed
}

func (w *wire) Write(b []byte) (int, error) {
	if x := w.secure.Load(); x != nil {
		return x.append(b)
	}
	if tcp := w.tcp.Load(); tcp != nil {
		return tcp.Write(b)
	}
	return 0, net.ErrClosed
}

// ReadFrom keeps what net/http does for files on a plain connection.
func (w *wire) ReadFrom(r io.Reader) (int64, error) {
	if tcp := w.tcp.Load(); tcp != nil {
		return tcp.ReadFrom(r)
	}
	return 0, net.ErrClosed
}

func (w *wire) Close() error {
	if x := w.secure.Load(); x != nil {
		x.s.shut()
		return nil
	}
	return w.plain((*net.TCPConn).Close)
}

func (w *wire) CloseWrite() error { return w.plain((*net.TCPConn).CloseWrite) }

func (w *wire) CloseRead() error { return w.plain((*net.TCPConn).CloseRead) }

func (w *wire) SetDeadline(t time.Time) error {
	return w.plain(func(tcp *net.TCPConn) error { return tcp.SetDeadline(t) })
}

func (w *wire) SetReadDeadline(t time.Time) error {
	return w.plain(func(tcp *net.TCPConn) error { return tcp.SetReadDeadline(t) })
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	return w.plain(func(tcp *net.TCPConn) error { return tcp.SetWriteDeadline(t) })
}

func (w *wire) SyscallConn() (syscall.RawConn, error) {
	if tcp := w.tcp.Load(); tcp != nil {
		return tcp.SyscallConn()
	}
	return nil, errAdopted
}

var errAdopted = errors.New("this connection is served by epoll now")

// plain does what only a connection that is not adopted can.
func (w *wire) plain(do func(*net.TCPConn) error) error {
	if tcp := w.tcp.Load(); tcp != nil {
		return do(tcp)
	}
	return errAdopted
}

func (w *wire) LocalAddr() net.Addr {
	if tcp := w.tcp.Load(); tcp != nil {
		return tcp.LocalAddr()
	}
	return &net.TCPAddr{}
}

func (w *wire) RemoteAddr() net.Addr {
	if tcp := w.tcp.Load(); tcp != nil {
		return tcp.RemoteAddr()
	}
	return &net.TCPAddr{}
}
