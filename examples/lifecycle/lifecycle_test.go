package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestCallbacksRunInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var diary bytes.Buffer // the callbacks of one socket run one at a time
		c := finchtest.Connect(t, newSockets(&diary), finch.Identity{})
		_, err := finchtest.Request[any](c, "chat", "hello")
		var failed *finch.Error
		if !errors.As(err, &failed) || failed.Status != 500 || strings.Contains(failed.Message, "database") {
			t.Fatalf("the client got %v", err)
		}
		if _, err := finchtest.Request[any](c, "weather", nil); finch.StatusOf(err) != 404 {
			t.Fatalf("the client got %v", err)
		}
		c.Close(1000, "bye")
		synctest.Wait()
		want := `manager: connected, one of 1
chat: connected
chat: message
manager: error: the database is away
manager: no route has weather
manager: gone with 1000 - left: 0
chat: gone
`
		if got := diary.String(); got != want {
			t.Fatalf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}
