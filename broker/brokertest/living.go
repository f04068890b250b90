package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/finch-go/finch/broker"
)

func misuse(f *fixture) {
	b := f.nodes[0]
	long := strings.Repeat("r", broker.MaxRoom+1)
	for _, room := range []string{"", long} {
		_, errOpen := b.Open(f.ctx, []string{"fine", room})
		_, errPublish := b.Publish(f.ctx, room, nil, broker.PublishOptions{})
		_, errRead := b.Read(f.ctx, room, broker.Range{})
		_, _, errHeads := b.Heads(f.ctx, []string{room}, "")
		_, errShares := b.Shares(f.ctx, room)
		for i, err := range []error{errOpen, errPublish, errRead, errHeads, errShares, b.Purge(f.ctx, room),
			b.SetShare(f.ctx, room, 1), b.Send(f.ctx, broker.Target{Kind: broker.ToRoom, Name: room}, nil)} {
			if !errors.Is(err, broker.ErrBadRoom) {
				f.Errorf("call %d with a name of %d bytes: %v", i, len(room), err)
			}
		}
	}
	for _, room := range []string{long[:broker.MaxRoom], "a\x00\xff b", ".", "*", ">", "a.b", "=", "{x}"} {
		f.open(b, room)
		p := f.publish(b, room, "data", broker.PublishOptions{})
		f.boxes[0].await(f.T, room, p)
	}
	if _, err := b.Publish(f.ctx, "r", nil, broker.PublishOptions{Profile: "nobody's"}); !errors.Is(err, broker.ErrUnknownProfile) {
		f.Errorf("an unknown profile: %v", err)
	}
	most := b.Caps().MaxPayload
	if most <= 0 {
		f.Fatalf("MaxPayload is %d", most)
	}
	f.publish(b, "r", strings.Repeat("x", most), broker.PublishOptions{})
	f.publish(b, "r", "", broker.PublishOptions{})
	if _, err := b.Publish(f.ctx, "r", make([]byte, most+1), broker.PublishOptions{}); !errors.Is(err, broker.ErrTooLarge) {
		f.Errorf("a message too large: %v", err)
	}
	if err := b.Send(f.ctx, broker.Target{}, make([]byte, most+1)); !errors.Is(err, broker.ErrTooLarge) {
		f.Errorf("something sent too large: %v", err)
	}
	if err := b.SetShare(f.ctx, "r", -1); err == nil {
		f.Error("a negative share was taken")
	}
	if err := b.Start(f.ctx, broker.Node{ID: "again"}, &Inbox{}); err == nil {
		f.Error("a broker was started twice")
	}
	for _, node := range []broker.Node{{}, {ID: "a b"}, {ID: strings.Repeat("n", 65)}, {ID: "n", Profiles: []broker.Profile{{Size: -1}}}, {ID: "n", Profiles: []broker.Profile{{Age: -1}}}} {
		bad := f.Node()
		if err := bad.Start(f.ctx, node, &Inbox{}); err == nil {
			f.Errorf("a node was started as %+v", node)
			bad.Close(f.ctx)
		}
	}
}

func sendReaches(f *fixture) {
	var ids []string
	for _, n := range f.nodes[0].Nodes() {
		ids = append(ids, n.ID)
	}
	b, last := f.last()
	f.open(b, "r")
	targets := []broker.Target{{}, {Kind: broker.ToRoom, Name: "r"}, {Kind: broker.ToNode, Name: ids[len(ids)-1]}}
	for _, to := range targets {
		for _, data := range []string{"1", "2", "3"} {
			if err := f.nodes[0].Send(f.ctx, to, []byte(data)); err != nil {
				f.Fatalf("Send to %+v: %v", to, err)
			}
		}
	}
	last.until(f.T, "what was sent", func() bool { return len(last.sent) >= 9 })
	last.mu.Lock()
	received := slices.Clone(last.sent)
	last.mu.Unlock()
	for _, to := range targets {
		var got string
		for _, s := range received {
			if s.To == to {
				got += string(s.Data)
			}
			if s.From != ids[0] {
				f.Errorf("sent from %q", s.From)
			}
		}
		if got != "123" {
			f.Errorf("%+v received %q", to, got)
		}
	}
	if first := f.boxes[0]; first != last {
		first.until(f.T, "what was sent to everyone", func() bool { return len(first.sent) >= 3 })
		first.mu.Lock()
		defer first.mu.Unlock()
		for _, s := range first.sent {
			if s.To.Kind == broker.ToNode || s.To.Kind == broker.ToRoom {
				f.Errorf("a node that was not meant received %+v", s)
			}
		}
	}
	if len(last.Messages("r")) != 0 || len(f.read(b, "r", broker.Range{}).Messages) != 0 {
		f.Error("something sent was recorded")
	}
}

func sharesOfMany(f *fixture) {
	for i, b := range f.nodes {
		if err := b.SetShare(f.ctx, "r", i+1); err != nil {
			f.Fatal(err)
		}
	}
	for _, b := range f.nodes {
		shares, err := b.Shares(f.ctx, "r")
		if err != nil || len(shares) != len(f.nodes) {
			f.Fatalf("%d shares of %d nodes, %v", len(shares), len(f.nodes), err)
		}
		for i, s := range shares {
			if s.Members != i+1 || s.Node.ID != fmt.Sprint("node-", i) {
				f.Errorf("share %d is %+v", i, s)
			}
		}
	}
}

func sharesLive(f *fixture) {
	first := f.nodes[0]
	total := func(b broker.Broker) (n int, nodes []string) {
		shares, err := b.Shares(f.ctx, "r")
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range shares {
			n += s.Members
			nodes = append(nodes, s.Node.ID)
		}
		return n, nodes
	}
	for _, b := range f.nodes {
		for _, n := range []int{7, 3} { // the second replaces the first
			if err := b.SetShare(f.ctx, "r", n); err != nil {
				f.Fatal(err)
			}
		}
	}
	if n, nodes := total(first); n != 3*len(f.nodes) || !slices.IsSorted(nodes) {
		f.Errorf("%d members on %q", n, nodes)
	}
	if f.Alone {
		return
	}
	third, _ := f.start("node-2")
	f.acquaint("node-2")
	lives := first.Nodes()
	if len(lives) != 3 || lives[2].ID != "node-2" || lives[2].Incarnation == "" {
		f.Fatalf("nodes: %+v", lives)
	}
	for i, in := range f.boxes {
		in.mu.Lock()
		if slices.ContainsFunc(in.up, func(n broker.NodeState) bool { return n.ID == lives[i].ID }) {
			f.Errorf("node %d is told of itself", i)
		}
		in.mu.Unlock()
	}
	if err := third.SetShare(f.ctx, "r", 100); err != nil {
		f.Fatal(err)
	}
	if err := third.Close(f.ctx); err != nil {
		f.Fatal(err)
	}
	in := f.boxes[0]
	in.until(f.T, "news of the node's end", func() bool { return slices.Contains(in.down, lives[2]) })
	if n, nodes := total(first); n != 6 {
		f.Errorf("%d members on %q: the closed node's still count", n, nodes)
	}
	f.start("node-2")
	in.until(f.T, "news of the node that came back", func() bool { return len(in.up) == 3 })
	again := first.Nodes()
	if len(again) != 3 || again[2].Incarnation == lives[2].Incarnation {
		f.Errorf("the node that came back is %+v, before %+v", again, lives[2])
	}
	if n, _ := total(first); n != 6 {
		f.Errorf("%d members: a new life has the old one's share", n)
	}
	if err := first.SetShare(f.ctx, "r", 0); err != nil {
		f.Fatal(err)
	}
	if n, nodes := total(f.nodes[1]); n != 3 || len(nodes) != 1 {
		f.Errorf("%d members on %q after one share was taken away", n, nodes)
	}
}

func releasedRoom(f *fixture) {
	b, in := f.last()
	f.open(b, "r")
	first := f.publish(f.nodes[0], "r", "1", broker.PublishOptions{})
	in.await(f.T, "r", first)
	b.Release([]string{"r", "never opened"})
	second := f.publish(f.nodes[0], "r", "2", broker.PublishOptions{})
	if head := f.open(b, "r"); head != second {
		f.Fatalf("opened again the head is %v, want %v", head, second)
	}
	third := f.publish(f.nodes[0], "r", "3", broker.PublishOptions{})
	in.await(f.T, "r", third)
}

func closedBroker(f *fixture) {
	unused := f.Node()
	calls := func(b broker.Broker) []error {
		_, errOpen := b.Open(f.ctx, []string{"r"})
		_, errPublish := b.Publish(f.ctx, "r", nil, broker.PublishOptions{})
		_, errRead := b.Read(f.ctx, "r", broker.Range{})
		_, _, errHeads := b.Heads(f.ctx, []string{"r"}, "")
		_, errAsk := b.Ask(f.ctx, "node-0", nil)
		_, errShares := b.Shares(f.ctx, "r")
		b.Release([]string{"r"})
		return []error{errOpen, errPublish, errRead, errHeads, errAsk, errShares, b.Purge(f.ctx, "r"),
			b.Send(f.ctx, broker.Target{}, nil), b.SetShare(f.ctx, "r", 1)}
	}
	for i, err := range calls(unused) {
		if !errors.Is(err, broker.ErrClosed) {
			f.Errorf("before Start call %d gives %v", i, err)
		}
	}
	if err := unused.Close(f.ctx); err != nil {
		f.Errorf("Close without Start: %v", err)
	}
	b, in := f.last()
	f.open(b, "r")
	in.until(f.T, "the state", func() bool { return slices.Equal(in.states, []broker.State{broker.Connected}) })
	for range 2 {
		if err := b.Close(f.ctx); err != nil {
			f.Fatal(err)
		}
	}
	for i, err := range calls(b) {
		if !errors.Is(err, broker.ErrClosed) {
			f.Errorf("after Close call %d gives %v", i, err)
		}
	}
	if f.Alone {
		return
	}
	f.publish(f.nodes[0], "r", "1", broker.PublishOptions{})
	if err := f.nodes[0].Send(f.ctx, broker.Target{}, []byte("late")); err != nil {
		f.Fatal(err)
	}
	f.boxes[0].until(f.T, "what was sent", func() bool { return len(f.boxes[0].sent) == 1 })
	if len(in.Messages("r")) != 0 || len(in.sent) != 0 {
		f.Error("a closed node was called")
	}
}

func endedContext(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	b := f.nodes[0]
	_, errOpen := b.Open(ctx, []string{"r"})
	_, errPublish := b.Publish(ctx, "r", nil, broker.PublishOptions{})
	_, errRead := b.Read(ctx, "r", broker.Range{})
	_, _, errHeads := b.Heads(ctx, []string{"r"}, "")
	for i, err := range []error{errOpen, errPublish, errRead, errHeads} {
		if err == nil {
			f.Errorf("call %d went on", i)
		}
	}
}
