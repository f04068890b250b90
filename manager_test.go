package finch_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

type line struct{ Name, Text string }

func TestAMessageReachesTheOtherTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		finch.On(m, "chat", func(ctx context.Context, s *finch.Socket, in line) error {
			return m.SendToAll("chat", in, finch.Except(s))
		})
		finch.OnRequest(m, "sum", func(ctx context.Context, s *finch.Socket, in []int) (int, error) {
			n := 0
			for _, v := range in {
				n += v
			}
			return n, nil
		})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		ann.Send("chat", line{"Ann", "hello"})
		var got line
		bob.Expect("chat", &got)
		if got.Text != "hello" {
			t.Fatalf("got %+v", got)
		}
		bob.ExpectNothing()
		ann.ExpectNothing()
		if n, err := finchtest.Request[int](ann, "sum", []int{1, 2, 3}); n != 6 || err != nil {
			t.Fatal(n, err)
		}
		ann.Close(1000, "bye")
		synctest.Wait()
		if m.CountClients() != 1 {
			t.Fatal(m.CountClients())
		}
		ctx := t.Context()
		if err := m.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if code, _ := bob.ExpectClose(); code != 1001 {
			t.Fatal(code)
		}
	})
}
