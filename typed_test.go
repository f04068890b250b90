package finch_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestTypedHandlersDecodeAndAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type point struct{ X, Y int }
		m := finch.NewSocketManager(nil)
		finch.OnRequest(m, "swap", func(ctx context.Context, s *finch.Socket, p point) (point, error) { return point{p.Y, p.X}, nil })
		finch.OnRequest(m, "raw", func(ctx context.Context, s *finch.Socket, raw json.RawMessage) (json.RawMessage, error) {
			return raw, nil
		})
		finch.OnRequest(m, "fail", func(ctx context.Context, s *finch.Socket, _ any) (int, error) {
			return 1, finch.Errorf(409, "taken", "choose another")
		})
		finch.On(m, "note", func(ctx context.Context, s *finch.Socket, text string) error { return s.Send("noted", text) })
		c := finchtest.Connect(t, m, finch.Identity{})
		if got, err := finchtest.Request[point](c, "swap", point{1, 2}); got != (point{2, 1}) || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := finchtest.Request[map[string]int](c, "raw", map[string]int{"a": 1}); got["a"] != 1 || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
		_, err := finchtest.Request[int](c, "fail", nil)
		var e *finch.Error
		if !errors.As(err, &e) || *e != (finch.Error{Status: 409, Code: "taken", Message: "choose another"}) {
			t.Errorf("got %v", err)
		}
		if _, err := finchtest.Request[any](c, "note", "سلام"); err != nil { // On answers 200 when asked
			t.Error(err)
		}
		var text string
		if c.Expect("noted", &text); text != "سلام" {
			t.Errorf("got %q", text)
		}
	})
}

func TestDataThatDoesNotFitIsSaidToTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type in struct {
			Name string
			Age  int
		}
		m := finch.NewSocketManager(nil)
		called := 0
		finch.OnRequest(m, "in", func(ctx context.Context, s *finch.Socket, in in) (string, error) { called++; return in.Name, nil })
		c := finchtest.Connect(t, m, finch.Identity{})
		rows := map[string]string{
			`{"Age":"old"}`:    "data.Age cannot be a JSON string",
			`[1]`:              "data cannot be a JSON array",
			`"x"`:              "data cannot be a JSON string",
			`{"Age":1.5}`:      "data.Age cannot be a JSON number 1.5",
			`{"Name":{"a":1}}`: "data.Name cannot be a JSON object",
		}
		for data, want := range rows {
			_, err := finchtest.Request[string](c, "in", json.RawMessage(data))
			var e *finch.Error
			if !errors.As(err, &e) || e.Status != 400 || e.Code != "bad_data" || e.Message != want {
				t.Errorf("%s was answered %v, want %q", data, err, want)
			}
		}
		if _, err := finchtest.Request[string](c, "in", []byte("bytes")); finch.StatusOf(err) != 400 {
			t.Errorf("bytes for JSON were answered %v", err)
		}
		if called != 0 {
			t.Errorf("the handler was called %d times", called)
		}
		c.SendText(`{"path":"in","id":1}`) // no data is null
		if r := c.Expect("in", nil); r.Status != 200 || string(r.Data) != `""` {
			t.Errorf("answered %s", r)
		}
	})
}

func TestStatusOf(t *testing.T) {
	for want, err := range map[int]error{200: nil, 500: errors.New("x"), 409: finch.Errorf(409, "x", "y"), 503: finch.ErrClosed} {
		if got := finch.StatusOf(err); got != want {
			t.Errorf("StatusOf(%v) is %d, want %d", err, got, want)
		}
	}
	if text := finch.Errorf(409, "taken", "%s is taken", "sara").Error(); text != "taken: sara is taken" {
		t.Errorf("the error says %q", text)
	}
}
