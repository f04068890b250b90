package holder_test

import (
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/cmd/finch/internal/holder"
)

func TestADemoThatOthersReachHoldsNothing(t *testing.T) {
	for _, at := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4zero, Port: 3000}, &net.TCPAddr{IP: net.IPv6unspecified, Port: 3000},
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3000}, &net.UnixAddr{Name: "/tmp/x", Net: "unix"},
	} {
		if err := holder.New(t.Context(), at).Ready(1); finch.StatusOf(err) != 403 {
			t.Errorf("%v: %v", at, err)
		}
	}
}

func TestTooFewOpenFilesAreSaidBefore(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the generator needs Linux")
	}
	h := holder.New(t.Context(), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3000})
	if err := h.Ready(1); err != nil {
		t.Error(err)
	}
	if err := h.Ready(1 << 40); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("got %v", err)
	}
	if n, err := h.Resident(); err != nil || n < 1<<20 {
		t.Errorf("this process has %d bytes, %v", n, err)
	}
}
