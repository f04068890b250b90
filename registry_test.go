package finch_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestAnEventPathTwiceNamesBothPlaces(t *testing.T) {
	routes := map[string]finch.SocketEvent{"chat": {}}
	handle := func(context.Context, *finch.Socket, any) error { return nil }
	answer := func(context.Context, *finch.Socket, any) (any, error) { return nil, nil }
	rows := map[string]func(m *finch.SocketManager){
		"AddRoutes": func(m *finch.SocketManager) { m.AddRoutes(routes) },
		"On":        func(m *finch.SocketManager) { finch.On(m, "chat", handle) },
		"OnRequest": func(m *finch.SocketManager) { finch.OnRequest(m, "chat", answer) },
	}
	for name, again := range rows {
		t.Run(name, func(t *testing.T) {
			m := finch.NewSocketManager(&finch.SocketManagerOptions{Routes: routes})
			text := panicOf(func() { again(m) })
			for _, want := range []string{`"chat"`, "registered twice", "keep one"} {
				if !strings.Contains(text, want) {
					t.Errorf("the panic does not say %q: %s", want, text)
				}
			}
			if strings.Count(text, "registry_test.go:") != 2 {
				t.Errorf("the panic does not name both places: %s", text)
			}
		})
	}
}

func TestAPathThatCannotBeOneIsRefusedWithItsPlace(t *testing.T) {
	for _, path := range []string{"", "finch.hello", "finch.", strings.Repeat("x", 129), "a\nb", "\xff"} {
		wantPanic(t, func() {
			finch.NewSocketManager(&finch.SocketManagerOptions{Routes: map[string]finch.SocketEvent{path: {}}})
		}, "registry_test.go:", "path")
	}
	m := finch.NewSocketManager(nil)
	m.AddRoutes(map[string]finch.SocketEvent{"finches": {}, "نام رویداد": {}, strings.Repeat("x", 128): {}})
}

func TestRoutesAreAddedAllOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		echo := finch.SocketEvent{OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error { return nil }}
		panicOf(func() { m.AddRoutes(map[string]finch.SocketEvent{"a": echo, "finch.b": echo}) })
		c := finchtest.Connect(t, m, finch.Identity{})
		if _, err := finchtest.Request[any](c, "a", nil); finch.StatusOf(err) != 404 {
			t.Errorf("answered %v", err)
		}
		m.AddRoutes(map[string]finch.SocketEvent{"a": echo}) // while a socket is connected
		if _, err := finchtest.Request[any](c, "a", nil); err != nil {
			t.Errorf("answered %v", err)
		}
	})
}

func TestRoutesMayBeAddedWhileMessagesArrive(t *testing.T) {
	m := finch.NewSocketManager(nil)
	c := finchtest.Connect(t, m, finch.Identity{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			finch.On(m, "p"+strings.Repeat("x", i), func(context.Context, *finch.Socket, any) error { return nil })
		}
	}()
	for range 50 {
		finchtest.Request[any](c, "p", nil)
	}
	<-done
	if _, err := finchtest.Request[any](c, "p", nil); err != nil {
		t.Error(err)
	}
}
