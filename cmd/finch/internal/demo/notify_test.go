package demo_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

func TestANoticeToAUserReachesAllTheirDevicesAndNobodyElse(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		phone, _ := connect(t, app, "سارا")
		laptop, _ := connect(t, app, "سارا")
		other, id := connect(t, app, "")
		for _, c := range []*finchtest.Client{phone, laptop, other} {
			c.Skip()
		}
		done, err := finchtest.Request[demo.Notified](other, "notify.user", object{"user": "سارا", "text": "سفارش شما رسید"})
		if err != nil || done.Devices != 2 {
			t.Fatalf("answered %+v, %v", done, err)
		}
		want := demo.Notice{Text: "سفارش شما رسید", From: id, To: "user", User: "سارا"}
		for _, c := range []*finchtest.Client{phone, laptop} {
			var got demo.Notice
			if c.Expect("notice", &got); got != want {
				t.Errorf("the notice is %+v", got)
			}
		}
		other.ExpectNothing()
	})
}

func TestANoticeToAllReachesAll(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		sara, _ := connect(t, app, "sara")
		other, _ := connect(t, app, "")
		if _, err := finchtest.Request[any](sara, "notify.all", object{"text": " hello "}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*finchtest.Client{sara, other} {
			var got demo.Notice
			if c.Expect("notice", &got); got != (demo.Notice{Text: "hello", From: "sara", To: "everyone"}) {
				t.Errorf("the notice is %+v", got)
			}
		}
	})
}

func TestANoticeThatCannotArriveIsRefused(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		for _, row := range []struct {
			name, path, code string
			data             object
			status           int
		}{
			{"to somebody who is away", "notify.user", "no_such_user", object{"user": "sara", "text": "hello"}, 404},
			{"to nobody", "notify.user", "bad_user", object{"text": "hello"}, 422},
			{"without words", "notify.all", "bad_text", object{"text": " "}, 422},
			{"with too many", "notify.all", "bad_text", object{"text": strings.Repeat("ن", 501)}, 422},
		} {
			_, err := finchtest.Request[any](c, row.path, row.data)
			expectRefusal(t, row.name, err, row.status, row.code)
		}
	})
}
