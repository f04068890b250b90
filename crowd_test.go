package finch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/internal/frame"
)

// crowdVariable makes the test program a crowd: very many clients, in a
// process of their own because files are counted by process. Its value is the
// address to connect to.
const crowdVariable = "FINCH_TEST_CROWD"

// playCrowd connects, says so, and tells of each close code that it got how
// many clients got it.
func playCrowd() int {
	var mu sync.Mutex
	codes := map[int]int{}
	var connected, ended sync.WaitGroup
	connected.Add(crowdSize)
	doors := make(chan struct{}, 64)
	for range crowdSize {
		ended.Go(func() {
			doors <- struct{}{}
			nc, br, err := enter(os.Getenv(crowdVariable))
			<-doors
			connected.Done()
			code := 0
			if err != nil {
				fmt.Println("trouble:", err)
			} else {
				code = stay(nc, br)
				nc.Close()
			}
			mu.Lock()
			codes[code]++
			mu.Unlock()
		})
	}
	connected.Wait()
	fmt.Println("connected")
	ended.Wait()
	fmt.Println("ended", codes)
	return 0
}

// enter shakes hands.
func enter(addr string) (net.Conn, *bufio.Reader, error) {
	nc, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(nc, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", addr)
	br := bufio.NewReaderSize(nc, 16) // no larger than its least
	resp, err := http.ReadResponse(br, nil)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(resp.Status)
	}
	return nc, br, err
}

// stay reads until the close frame, answers it, and returns its code: 1006 if
// there was none.
func stay(nc net.Conn, br *bufio.Reader) int {
	var p frame.Parser
	buf := make([]byte, 256)
	for {
		n, err := br.Read(buf)
		for b := buf[:n]; len(b) > 0; {
			ev, used, err := p.Next(&frame.Config{Client: true}, b)
			if err != nil {
				return 1002
			}
			b = b[used:]
			if ev.Opcode == frame.Close {
				nc.Write(closeFrame(ev.Code))
				return ev.Code
			}
		}
		if err != nil {
			return 1006
		}
	}
}

func TestACrowdThatLeavesAtOnce(t *testing.T) {
	rows := []struct {
		name  string
		leave func(crowd *exec.Cmd, app *finch.App)
		code  int
		says  string // by the crowd
	}{
		{"killed", func(crowd *exec.Cmd, app *finch.App) { crowd.Process.Kill() }, 1006, ""},
		{"closed", func(crowd *exec.Cmd, app *finch.App) { app.SocketManager().Everyone().CloseSockets(4000, "all of you") }, 4000,
			fmt.Sprintf("ended map[4000:%d]", crowdSize)},
		{"shut down", func(crowd *exec.Cmd, app *finch.App) {
			if err := app.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown returned %v", err)
			}
		}, 1001, fmt.Sprintf("ended map[1001:%d]", crowdSize)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			var connects, disconnects, wrong atomic.Int64
			logger, _ := newLogbook()
			app := finch.NewApp(&finch.AppOptions{Logger: logger})
			seen := new(sync.Map)
			m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app, DrainWindow: -1, Event: finch.SocketEvent{
				OnConnect: func(ctx context.Context, s *finch.Socket) error {
					connects.Add(1)
					return s.Join(ctx, fmt.Sprint("room ", connects.Load()%100))
				},
				OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
					disconnects.Add(1)
					if _, again := seen.LoadOrStore(s.ID(), true); again || why.Code != row.code {
						wrong.Add(1)
					}
				},
			}})
			app.AddRoute(finch.Route{Path: "/ws", Handler: m})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- app.Serve(l) }()

			crowd := exec.Command(os.Args[0])
			crowd.Env = append(os.Environ(), crowdVariable+"="+l.Addr().String())
			out, err := crowd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			crowd.Stderr = os.Stderr
			if err := crowd.Start(); err != nil {
				t.Fatal(err)
			}
			says := bufio.NewScanner(out)
			for says.Scan() && says.Text() != "connected" {
				t.Error(says.Text())
			}
			until(t, func() bool { return connects.Load() == crowdSize }, func() string { return fmt.Sprintf("%d came", connects.Load()) })
			if n := m.CountClients(); n != crowdSize {
				t.Errorf("%d clients are counted", n)
			}
			row.leave(crowd, app)
			until(t, func() bool { return disconnects.Load() >= crowdSize && m.CountClients() == 0 },
				func() string { return fmt.Sprintf("%d left, %d are counted", disconnects.Load(), m.CountClients()) })
			rest, _ := io.ReadAll(out) // what the scanner has not read
			for says.Scan() {
				rest = append(says.Bytes(), rest...)
			}
			crowd.Wait()
			if !strings.Contains(string(rest), row.says) {
				t.Errorf("the crowd says %q, want %q", rest, row.says)
			}
			if err := app.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown returned %v", err)
			}
			<-served
			if n := disconnects.Load(); n != crowdSize || wrong.Load() != 0 {
				t.Errorf("OnDisconnect ran %d times, %d of them twice or with another code", n, wrong.Load())
			}
			if st := m.Stats(); st.Sockets != 0 || st.Rooms != 0 || st.QueuedBytes != 0 {
				t.Errorf("stats %+v", st)
			}
			// A few may belong to the tests beside this one.
			until(t, func() bool { return runtime.NumGoroutine() <= before+50 },
				func() string { return fmt.Sprintf("%d goroutines, %d before", runtime.NumGoroutine(), before) })
		})
	}
}

// until waits for what must become true, and else says how it is.
func until(t *testing.T, holds func() bool, how func() string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(how())
		}
	}
}
