package finch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestARoomReachesItsMembersAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		a, sa := join(t, m, finch.Identity{User: "a"})
		b, sb := join(t, m, finch.Identity{User: "b"})
		c := finchtest.Connect(t, m, finch.Identity{User: "c"})
		ctx := t.Context()
		for _, s := range []*finch.Socket{sa, sb, sa} { // joining twice is joining once
			if err := s.Join(ctx, "اتاق"); err != nil {
				t.Fatal(err)
			}
		}
		room := m.Room("اتاق")
		if n, err := room.Count(ctx); n != 2 || err != nil || room.Name() != "اتاق" {
			t.Errorf("%d members, %v, name %q", n, err, room.Name())
		}
		if members := slices.Collect(room.Sockets()); len(members) != 2 || !slices.Contains(members, sa) || !slices.Contains(members, sb) {
			t.Errorf("members %v", members)
		}
		if err := room.Send("news", 1, finch.WithStatus(201)); err != nil {
			t.Fatal(err)
		}
		for _, member := range []*finchtest.Client{a, b} {
			if r := member.Expect("news", nil); r.Room != "اتاق" || r.Status != 201 || r.Client != "" {
				t.Errorf("got %s", r)
			}
		}
		room.Send("news", 2, finch.Except(sa))
		b.Expect("news", nil)
		sb.Leave(ctx, "اتاق")
		sb.Leave(ctx, "اتاق")
		room.Send("news", 3)
		a.Expect("news", nil)
		for _, client := range []*finchtest.Client{a, b, c} {
			client.ExpectNothing()
		}
		if got := sa.Rooms(); !slices.Equal(got, []string{"اتاق"}) || len(sb.Rooms()) != 0 {
			t.Errorf("rooms %q and %q", got, sb.Rooms())
		}
	})
}

func TestARoomVanishesWithItsLastMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		a, sa := join(t, m, finch.Identity{})
		_, sb := join(t, m, finch.Identity{})
		sa.Join(t.Context(), "one")
		sa.Join(t.Context(), "two")
		sb.Join(t.Context(), "two")
		if got := slices.Sorted(m.Rooms()); !slices.Equal(got, []string{"one", "two"}) || m.Stats().Rooms != 2 {
			t.Errorf("rooms %q", got)
		}
		a.Close(1000, "")
		synctest.Wait()
		if got := slices.Collect(m.Rooms()); !slices.Equal(got, []string{"two"}) {
			t.Errorf("rooms %q", got)
		}
		sb.Leave(t.Context(), "two")
		if st := m.Stats(); st.Rooms != 0 || st.Sockets != 1 {
			t.Errorf("stats %+v", st)
		}
		if err := m.Room("one").Send("x", 1); err != nil {
			t.Errorf("to nobody: %v", err)
		}
	})
}

func TestARoomsNameIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		_, s := join(t, m, finch.Identity{})
		for _, name := range []string{"", strings.Repeat("x", 257), "a\xff"} {
			for what, err := range map[string]error{"Join": s.Join(t.Context(), name), "Send": m.Room(name).Send("x", 1)} {
				if finch.StatusOf(err) != 422 {
					t.Errorf("%s of room %.10q: %v", what, name, err)
				}
			}
		}
		if err := s.Join(t.Context(), strings.Repeat("x", 256)); err != nil {
			t.Error(err)
		}
	})
}

// Addresses of different kinds do not meet, whatever their names.
func TestARoomIsNotAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		sara, _ := join(t, m, finch.Identity{User: "sara"})
		spy, s := join(t, m, finch.Identity{User: "spy"})
		s.Join(t.Context(), "sara")
		m.SendToUser("sara", "private", 1)
		sara.Expect("private", nil)
		spy.ExpectNothing()
		m.Room("sara").Send("public", 1)
		spy.Expect("public", nil)
		sara.ExpectNothing()
	})
}

func TestExceptNobodyLeavesOutNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		a, sa := join(t, m, finch.Identity{User: "sara"})
		b := finchtest.Connect(t, m, finch.Identity{User: "sara"})
		m.SendToAll("x", 1, finch.Except(nil))
		a.Expect("x", nil)
		b.Expect("x", nil)
		m.SendToUser("sara", "x", 1, finch.Except(sa))
		sa.Send("x", 1, finch.Except(sa))
		b.Expect("x", nil)
		a.ExpectNothing()
	})
}

func TestCountEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := finch.NewSocketManager(nil).Everyone().Count(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
