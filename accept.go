package finch

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// acceptor accepts through hard times: when the process or the system has no
// descriptors or memory left, it says so once, waits, and says when it goes on.
// net/http by itself would say it again at every try.
type acceptor struct {
	net.Listener
	logger *slog.Logger
	sleep  func(time.Duration)
}

const (
	firstPause = 5 * time.Millisecond
	maxPause   = time.Second
)

func (a *acceptor) Accept() (net.Conn, error) {
	for pause := time.Duration(0); ; {
		nc, err := a.Listener.Accept()
		if err == nil || !exhausted(err) {
			if pause > 0 && err == nil {
				a.logger.Info("finch: accepting again")
			}
			return nc, err
		}
		if pause == 0 {
			a.logger.Error("finch: cannot accept for now; those who connect have to wait", "error", err)
		}
		pause = min(max(firstPause, 2*pause), maxPause)
		a.sleep(pause)
	}
}

// exhausted tells what passes when others let go of something.
func exhausted(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
