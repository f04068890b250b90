package demo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

func TestEverybodyHearsOfANewcomer(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		first := finchtest.ConnectRequest(t, app, finchtest.NewRequest("ws://localhost:3000/ws"))
		expectOutput(t, first, "کاربر جدید متصل شد! تعداد: 1")
		second := finchtest.ConnectRequest(t, app, finchtest.NewRequest("ws://localhost:3000/ws?user=sara"))
		expectOutput(t, first, "کاربر جدید متصل شد! تعداد: 2")
		expectOutput(t, second, "کاربر جدید متصل شد! تعداد: 2")

		var connected demo.Connected
		second.Expect("connected", &connected)
		want := demo.Connected{Client: connected.Client, User: "sara", Counts: demo.Counts{Clients: 2, Users: 1}}
		if connected != want || connected.Client == "" {
			t.Errorf("the newcomer was told %+v", connected)
		}
	})
}

func expectOutput(t *testing.T, c *finchtest.Client, want string) {
	t.Helper()
	var got string
	if c.Expect("output", &got); got != want {
		t.Errorf("output %q, want %q", got, want)
	}
}

func TestTheGuidesPathsAnswerAsTheGuideSays(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, id := connect(t, app, "")
		c.Skip()

		c.Send("test", nil)
		var headers []http.Header
		if c.Expect("test", &headers); len(headers) != 1 || headers[0].Get("Host") != "localhost:3000" {
			t.Errorf("test sent %v", headers)
		}

		c.Send("time", nil)
		var clock string
		c.Expect("output", &clock)
		if _, err := time.Parse(time.RFC3339, clock); err != nil {
			t.Error(err)
		}

		other, otherID := connect(t, app, "")
		other.Skip()
		c.Send("clients", nil)
		var ids []string
		c.Expect("clients", &ids)
		want := []string{id, otherID}
		slices.Sort(ids)
		if slices.Sort(want); !slices.Equal(ids, want) {
			t.Errorf("clients sent %v, want %v", ids, want)
		}

		c.Send("toclient", map[string]string{"id": otherID, "message": "درود"})
		expectOutput(t, other, fmt.Sprintf("Client %s: درود", id))
		other.ExpectNothing()

		c.SendText(`{"path":"stream","blob":[70,105,110]}`)
		var blob []int
		if c.Expect("streamServer", &blob); !slices.Equal(blob, []int{70, 105, 110}) {
			t.Errorf("stream sent %v back", blob)
		}
		c.Send("stream", []byte{0, 255, 1})
		if r := c.Expect("streamServer", nil); !slices.Equal(r.Binary, []byte{0, 255, 1}) {
			t.Errorf("stream sent %v back", r)
		}
	})
}

func TestBareTextComesBack(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		c.SendText("سلام سرور!")
		c.ExpectText("اکو: سلام سرور!")

		raw := rawEcho(t, app)
		raw.SendText(`{"path":"time"}`)
		raw.ExpectText(`اکو: {"path":"time"}`)
		raw.ExpectNothing()
	})
}

func TestCloseClosesThatSocketAlone(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		other, _ := connect(t, app, "")
		c.Send("close", nil)
		if code, _ := c.ExpectClose(); code != 1000 {
			t.Errorf("closed with %d", code)
		}
		if _, err := finchtest.Request[any](other, "time", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatCannotBeDoneIsRefusedWithACode(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		for _, row := range []struct {
			path, code string
			data       any
			status     int
		}{
			{"toclient", "no_such_client", map[string]string{"id": "nobody", "message": "hello"}, 404},
			{"stream", "no_blob", nil, 422},
			{"toclient", "bad_data", 7, 400},
		} {
			_, err := finchtest.Request[json.RawMessage](c, row.path, row.data)
			expectRefusal(t, row.path, err, row.status, row.code)
		}
	})
}

func expectRefusal(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var refused *finch.Error
	if !errors.As(err, &refused) || refused.Status != status || refused.Code != code {
		t.Errorf("%s: got %v, want %d %s", what, err, status, code)
	}
}

func TestTenLinesComeASecondApartAndHoldUpNothing(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		c.Skip()
		start := time.Now()
		if _, err := finchtest.Request[any](c, "fa", nil); err != nil {
			t.Fatal(err)
		}
		c.SendText("still here?")
		c.ExpectText("اکو: still here?")
		_, err := finchtest.Request[any](c, "fa", nil)
		expectRefusal(t, "ten lines more", err, 429, "too_fast")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the lines held the socket up for %v", waited)
		}

		expectOutput(t, c, "این خطِ یکم از ده خط است.")
		for range 8 {
			c.Expect("output", nil)
		}
		expectOutput(t, c, "این خطِ دهم از ده خط است.")
		if took := time.Since(start); took != 9*time.Second {
			t.Errorf("ten lines took %v", took)
		}
		synctest.Wait() // the one who sent it is through
		if _, err := finchtest.Request[any](c, "fa", nil); err != nil {
			t.Errorf("after the last line a new round: %v", err)
		}
	})
}

func TestTenLinesEndWithTheirSocket(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		c.Send("fa", nil)
		c.Expect("output", nil)
		c.Drop() // synctest fails the test if a goroutine is left waiting
	})
}
