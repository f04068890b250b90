package finch_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
	"github.com/finch-go/finch/internal/frame"
)

// raw makes an App with one raw route at /ws.
func raw(o finch.AppOptions, ws func(ws *finch.RawSocket)) *finch.App {
	o.Routes = []finch.Route{{Path: "/ws", WS: ws}}
	return finch.NewApp(&o)
}

func TestARawSocketEchoesTextAsInTheGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := raw(finch.AppOptions{}, func(ws *finch.RawSocket) {
			ws.Send("خوش آمدید")
			ws.OnMessage(func(text string) { ws.Send("اکو: " + text) })
		})
		m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app})
		c := finchtest.Connect(t, app, finch.Identity{})
		c.ExpectText("خوش آمدید")
		for _, text := range []string{"سلام سرور!", "", `{"path":"finch.ping","id":1}`} { // no envelope is read
			c.SendText(text)
			c.ExpectText("اکو: " + text)
		}
		c.ExpectNothing()
		if m.CountClients() != 0 || app.Stats().RawSockets != 1 {
			t.Errorf("%d clients, %+v", m.CountClients(), app.Stats())
		}
		c.Close(1000, "")
		synctest.Wait()
		if app.Stats().RawSockets != 0 {
			t.Errorf("%+v", app.Stats())
		}
	})
}

func TestARawSocketEchoesBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := raw(finch.AppOptions{}, func(ws *finch.RawSocket) {
			ws.OnBinary(func(b []byte) { ws.SendBinary(append(b, '!')) })
		})
		c := finchtest.Connect(t, app, finch.Identity{})
		c.Write(frame.AppendMasked(nil, frame.Binary, []byte{0, 255}, mask))
		if r := c.Expect("", nil); string(r.Binary) != "\x00\xff!" {
			t.Errorf("got %q", r.Binary)
		}
	})
}

func TestARawSocketIsClosedWith1003ForWhatItDoesNotTake(t *testing.T) {
	rows := map[string]struct {
		serve func(ws *finch.RawSocket)
		op    frame.Opcode
		code  int
	}{
		"bytes for text":       {func(ws *finch.RawSocket) { ws.OnMessage(func(string) {}) }, frame.Binary, 1003},
		"text for bytes":       {func(ws *finch.RawSocket) { ws.OnBinary(func([]byte) {}) }, frame.Text, 1003},
		"anything for nothing": {func(ws *finch.RawSocket) {}, frame.Text, 0},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := finchtest.Connect(t, raw(finch.AppOptions{}, row.serve), finch.Identity{})
				c.Write(frame.AppendMasked(nil, row.op, []byte("x"), mask))
				if row.code == 0 {
					c.ExpectNothing()
					c.Close(1000, "")
				} else if code, _ := c.ExpectClose(); code != row.code {
					t.Errorf("closed with %d", code)
				}
			})
		})
	}
}

func TestOnCloseRunsOnceBehindTheLastMessage(t *testing.T) {
	ends := map[string]struct {
		end  func(c *finchtest.Client, ws *finch.RawSocket)
		code int
	}{
		"the client closes":   {func(c *finchtest.Client, ws *finch.RawSocket) { c.Write(closeFrame(4001)) }, 4001},
		"the client vanishes": {func(c *finchtest.Client, ws *finch.RawSocket) { c.Drop() }, 1006},
		"we close":            {func(c *finchtest.Client, ws *finch.RawSocket) { ws.Close(4002, "") }, 4002},
	}
	for name, row := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran []string
				var socket *finch.RawSocket
				app := raw(finch.AppOptions{}, func(ws *finch.RawSocket) {
					socket = ws
					ws.OnMessage(func(text string) {
						time.Sleep(time.Second)
						ran = append(ran, text)
					})
					ws.OnClose(func(why finch.CloseReason) {
						if ws.Context().Err() == nil {
							t.Error("the context lives on")
						}
						ran = append(ran, fmt.Sprint("closed ", why.Code))
					})
				})
				c := finchtest.Connect(t, app, finch.Identity{})
				c.SendText("one")
				synctest.Wait()
				row.end(c, socket)
				time.Sleep(time.Minute)
				synctest.Wait()
				if !slices.Equal(ran, []string{"one", fmt.Sprint("closed ", row.code)}) {
					t.Errorf("ran %q", ran)
				}
				if err := socket.Send("late"); !errors.Is(err, finch.ErrClosed) {
					t.Errorf("Send after the end: %v", err)
				}
				if err := socket.Close(0, ""); !errors.Is(err, finch.ErrClosed) {
					t.Errorf("Close after the end: %v", err)
				}
			})
		})
	}
}

func TestAPanicOfARawSocketCostsThatSocket(t *testing.T) {
	rows := map[string]func(ws *finch.RawSocket){
		"WS":        func(ws *finch.RawSocket) { panic("kaboom") },
		"OnMessage": func(ws *finch.RawSocket) { ws.OnMessage(func(string) { panic("kaboom") }) },
	}
	for name, serve := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, book := newLogbook()
				var sockets atomic.Int32
				app := raw(finch.AppOptions{Logger: logger}, func(ws *finch.RawSocket) {
					if sockets.Add(1) == 1 {
						ws.OnMessage(func(text string) { ws.Send(text) })
						return
					}
					serve(ws)
				})
				lucky := finchtest.Connect(t, app, finch.Identity{})
				synctest.Wait()
				c := finchtest.Connect(t, app, finch.Identity{})
				c.SendText("x")
				if code, reason := c.ExpectClose(); code != 1011 || strings.Contains(reason, "kaboom") {
					t.Errorf("closed with %d %s", code, reason)
				}
				synctest.Wait()
				book.wants(t, "kaboom", "rawsocket_test.go")
				if st := app.Stats(); st.Panics != 1 || st.RawSockets != 1 {
					t.Errorf("%+v", st)
				}
				lucky.SendText("alive")
				lucky.ExpectText("alive")
			})
		})
	}
}

func TestARawSocketHasItsLimitsAndItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := raw(finch.AppOptions{Limits: finch.Limits{MessageBytes: 100}}, func(ws *finch.RawSocket) {
			ws.Send(ws.Request().Header().Get("User-Agent") + ws.Request().URL().RawQuery + "\xff")
			for _, code := range []int{1005, 1006, 999, 5000} {
				if err := ws.Close(code, ""); err == nil {
					t.Errorf("Close(%d) was taken", code)
				}
			}
			ws.OnMessage(func(text string) { ws.Send(fmt.Sprint(len(text))) })
		})
		r := finchtest.NewRequest("ws://app.test/ws?a=1")
		r.Header.Set("User-Agent", "me ")
		c := finchtest.ConnectRequest(t, app, r)
		c.ExpectText("me a=1\uFFFD")
		c.SendText(strings.Repeat("x", 100))
		c.ExpectText("100")
		c.SendText(strings.Repeat("x", 101))
		if code, _ := c.ExpectClose(); code != 1009 {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestASlowRawSocketIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan error, 1)
		app := raw(finch.AppOptions{Limits: finch.Limits{QueueBytes: 1 << 10}}, func(ws *finch.RawSocket) {
			for {
				if err := ws.SendBinary(make([]byte, 100)); err != nil {
					got <- err
					return
				}
			}
		})
		deafClient(t, app, finch.Identity{})
		if err := <-got; !errors.Is(err, finch.ErrSlow) {
			t.Errorf("SendBinary says %v", err)
		}
	})
}
