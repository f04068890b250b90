package vigil_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/vigil"
)

var node = broker.NodeState{ID: "n", Incarnation: "1"}

// calls notes when a node was called.
type calls struct {
	began time.Time
	mu    sync.Mutex
	at    []time.Duration
}

func (c *calls) call(*vigil.Vigil) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Since(c.began))
}

func TestOneCallIsMadeForAllThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v vigil.Vigils
		c := &calls{began: time.Now()}
		var all []*vigil.Vigil
		for range 50 {
			all = append(all, v.Attend(node, c.call))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := fmt.Sprint(c.at); got != "[100ms 300ms 700ms 1.5s 2.5s]" {
			t.Errorf("called at %s", got)
		}
		late := v.Attend(node, c.call) // has no patience yet
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		if n := len(c.at); n != 6 {
			t.Errorf("%d calls after another question", n)
		}
		for _, g := range append(all, late) {
			v.Leave(g)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(c.at); n != 6 || late.Over().Err() == nil {
			t.Errorf("%d calls after all had left", n)
		}
	})
}

func TestQuestionsEndWithTheirNode(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(v *vigil.Vigils, g *vigil.Vigil)
		want error // nil: they go on
	}{
		{"nobody listens", func(v *vigil.Vigils, g *vigil.Vigil) { v.GiveUp(g) }, broker.ErrUnavailable},
		{"its lease has ended", func(v *vigil.Vigils, g *vigil.Vigil) { v.Gone(node) }, broker.ErrUnknownNode},
		{"another life answers", func(v *vigil.Vigils, g *vigil.Vigil) { v.Heard(broker.NodeState{ID: "n", Incarnation: "2"}) }, broker.ErrUnavailable},
		{"it answers itself", func(v *vigil.Vigils, g *vigil.Vigil) { v.Heard(node) }, nil},
		{"another life's lease has ended", func(v *vigil.Vigils, g *vigil.Vigil) { v.Gone(broker.NodeState{ID: "n"}) }, nil},
		{"another node answers", func(v *vigil.Vigils, g *vigil.Vigil) { v.Heard(broker.NodeState{ID: "m"}) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var v vigil.Vigils
				made := &calls{began: time.Now()}
				g := v.Attend(node, made.call)
				if v.Attend(node, made.call) != g {
					t.Fatal("two questions do not wait together")
				}
				c.end(&v, g)
				if err := context.Cause(g.Over()); !errors.Is(err, c.want) {
					t.Errorf("they end with %v", err)
				}
				v.GiveUp(g) // where there was a reason, the first counts
				if err := context.Cause(g.Over()); c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("they end with %v at last", err)
				}
				next := v.Attend(node, made.call)
				v.Leave(g)
				v.Leave(g)
				if next == g || next.Over().Err() != nil {
					t.Error("the next question does not begin anew")
				}
				v.Leave(next)
				time.Sleep(time.Minute)
				synctest.Wait()
				if len(made.at) > 0 {
					t.Errorf("calls at %v", made.at)
				}
			})
		})
	}
}
