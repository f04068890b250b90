package demo_test

import (
	"net/http"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
)

func TestEverybodyIsToldHowManyAreHere(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		first, _ := connect(t, app, "")
		expect := func(want demo.Counts) {
			t.Helper()
			var got demo.Counts
			if first.Expect("counts", &got); got != want {
				t.Errorf("told %+v, want %+v", got, want)
			}
		}
		expect(demo.Counts{Clients: 1})
		phone, _ := connect(t, app, "sara")
		expect(demo.Counts{Clients: 2, Users: 1})
		laptop, _ := connect(t, app, "sara")
		expect(demo.Counts{Clients: 3, Users: 1})
		phone.Drop()
		expect(demo.Counts{Clients: 2, Users: 1})
		laptop.Close(1000, "")
		expect(demo.Counts{Clients: 1})
	})
}

func TestARawSocketIsNoClient(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		c.Expect("counts", nil)
		c.Skip()
		raw := rawEcho(t, app)
		raw.SendText("سلام")
		raw.ExpectText("اکو: سلام")
		c.ExpectNothing()
	})
}
