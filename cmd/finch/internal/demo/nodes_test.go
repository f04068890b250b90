package demo_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

// onNodes runs a test against n demos that are joined, in the clock of the test.
func onNodes(t *testing.T, n int, f func(t *testing.T, nodes []*demo.Demo)) {
	synctest.Test(t, func(t *testing.T) {
		clusters := map[string]*memory.Cluster{}
		var nodes []*demo.Demo
		for i := range n {
			node := demo.New(&demo.Options{Nodes: &demo.Nodes{
				Name: fmt.Sprint("node ", i), Store: "memory", Secret: []byte("the same on all nodes"),
				Broker: func(part string) broker.Broker {
					if clusters[part] == nil {
						clusters[part] = memory.NewCluster(nil)
					}
					return clusters[part].Node()
				},
			}})
			if err := node.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { node.Shutdown(context.Background()) })
			nodes = append(nodes, node)
		}
		f(t, nodes)
	})
}

func TestNodesCountTogether(t *testing.T) {
	onNodes(t, 3, func(t *testing.T, nodes []*demo.Demo) {
		var all []*finchtest.Client
		for i, user := range []string{"", "sara", "sara"} {
			c, _ := connect(t, nodes[i], user)
			all = append(all, c)
		}
		connect(t, nodes[0], "reza")
		time.Sleep(3 * time.Second) // of the bubble: shares, and a call of the roll
		last := func(c *finchtest.Client) (got demo.Counts) {
			for got == (demo.Counts{}) || got.Clients < 4 || got.Users < 2 {
				c.Expect("counts", &got)
			}
			return got
		}
		for i, c := range all {
			if got := last(c); got != (demo.Counts{Clients: 4, Users: 2}) {
				t.Errorf("node %d tells of %+v", i, got)
			}
		}
	})
}

func TestAPageIsToldWhichNodeServesIt(t *testing.T) {
	onNodes(t, 2, func(t *testing.T, nodes []*demo.Demo) {
		c, _ := connect(t, nodes[1], "")
		var node demo.Node
		if c.Expect("node", &node); node != (demo.Node{Name: "node 1", Nodes: 2, Store: "memory", Reached: true}) {
			t.Errorf("told %+v", node)
		}
		nodes[0].Shutdown(t.Context())
		for node.Nodes != 1 {
			c.Expect("node", &node)
		}
	})
}

func TestADemoThatIsAloneDoesNotSpeakOfNodes(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		c.Expect("counts", nil) // and "output" before; nothing else is said
		c.Skip()
		connect(t, app, "")
		time.Sleep(3 * time.Second) // of the bubble
		c.Expect("output", nil)
		c.Expect("counts", nil)
		c.ExpectNothing()
	})
}

func TestPeopleOnTwoNodesChatAndAreNotified(t *testing.T) {
	onNodes(t, 2, func(t *testing.T, nodes []*demo.Demo) {
		ada, _ := connect(t, nodes[0], "ada")
		amir, _ := connect(t, nodes[1], "amir")
		enter(t, ada, "lobby")
		enter(t, amir, "lobby")
		sitAs(t, ada, "lobby", "Ada")
		sitAs(t, amir, "lobby", "امیر")
		time.Sleep(time.Second) // of the bubble: nodes tell each other who sits there
		if here := sitAs(t, amir, "lobby", "امیر"); here.Count != 2 {
			t.Errorf("present are %+v", here)
		}
		if err := say(ada, "lobby", "Ada", "hello over there", "a key"); err != nil {
			t.Fatal(err)
		}
		var line demo.ChatLine
		if amir.Expect("chat.line", &line); line.Text != "hello over there" {
			t.Errorf("the line is %+v", line)
		}
		time.Sleep(time.Second) // shares
		told, err := finchtest.Request[demo.Notified](ada, "notify.user", map[string]any{"user": "amir", "text": "tea?"})
		if err != nil || told.Devices != 1 {
			t.Errorf("notified %+v, %v", told, err)
		}
		var notice demo.Notice
		if amir.Expect("notice", &notice); notice.Text != "tea?" {
			t.Errorf("the notice is %+v", notice)
		}
	})
}

func TestOneHeartIsHeardOnAllNodes(t *testing.T) {
	onNodes(t, 3, func(t *testing.T, nodes []*demo.Demo) {
		var all []*finchtest.Client
		for i := range nodes {
			all = append(all, listen(t, nodes[i]))
			if i > 0 {
				time.Sleep(70 * time.Millisecond) // two hearts beat at the same moments, and one at others
			}
		}
		begun := time.Now()
		next := make([]int, len(all))
		for range 40 {
			for i, c := range all {
				if n := expectBeat(t, c, next[i]); next[i] == 0 || n == next[i] {
					next[i] = n + 1
				}
			}
		}
		if took := time.Since(begun); took < 9*time.Second || took > 12*time.Second {
			t.Errorf("forty beats took %v", took)
		}
		nodes[0].Shutdown(t.Context()) // perhaps the one that was heard
		for range 20 {
			for i, c := range all[1:] {
				expectBeat(t, c, next[i+1])
				next[i+1]++
			}
		}
	})
}

func TestOneSlowReaderIsOnAllNodesTogether(t *testing.T) {
	onNodes(t, 2, func(t *testing.T, nodes []*demo.Demo) {
		here, _ := connect(t, nodes[0], "")
		there, _ := connect(t, nodes[1], "")
		startSlow(t, here, "resync")
		time.Sleep(time.Second)
		_, err := finchtest.Request[demo.Slow](there, "slow.start", object{"policy": "latest"})
		if finch.StatusOf(err) != 409 {
			t.Errorf("a second slow reader, on another node: %v", err)
		}
		expectSlow(t, there, "lagging", happened("lagged"))
		readAgain(t, there)
		now := expectSlow(t, there, "at its end", ended)
		expectSteps(t, now, "deaf", "lagged", "reading", "caught_up")
		if now.Lost != 0 || now.Doubled != 0 {
			t.Errorf("in the end %+v", now)
		}
		startSlow(t, there, "close")
	})
}

func TestASlowReaderWhoseNodeEndedIsForgotten(t *testing.T) {
	onNodes(t, 2, func(t *testing.T, nodes []*demo.Demo) {
		here, _ := connect(t, nodes[0], "")
		there, _ := connect(t, nodes[1], "")
		startSlow(t, here, "resync")
		expectSlow(t, there, "deaf", func(now demo.Slow) bool { return now.State == "deaf" })
		nodes[0].Shutdown(t.Context())
		time.Sleep(15 * time.Second) // of the bubble
		if now, err := finchtest.Request[demo.Slow](there, "slow.state", nil); err != nil || now.State != "none" {
			t.Errorf("it stands so: %+v, %v", now, err)
		}
		startSlow(t, there, "resync")
	})
}
