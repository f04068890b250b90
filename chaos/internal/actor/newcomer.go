package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/protocol"
)

// lateAfter is how long a message may be under way when nothing goes wrong: less than
// it takes until a check of heads would find it.
const lateAfter = 6 * time.Second

// newcomersAtOnce is how many rooms are opened at a time.
const newcomersAtOnce = 8

// Newcomers opens rooms on one node while their only message is published on another,
// and says what has not come. Nothing else goes wrong meanwhile: there is no later
// message that would show a gap, and what is missing for long was not subscribed to
// when it had to be.
func (w *World) Newcomers(ctx context.Context, first, rooms int, seed uint64) (late []string) {
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, newcomersAtOnce)
	for i := first; i < first+rooms; i++ {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			if text := w.newcomer(ctx, fmt.Sprint(server.Fresh, i), i, rng); text != "" {
				mu.Lock()
				defer mu.Unlock()
				late = append(late, text)
			}
		})
	}
	all.Wait()
	return late
}

func (w *World) newcomer(ctx context.Context, room string, i int, rng *rand.Rand) string {
	there, here := i%len(w.Nodes), (i+1+i/len(w.Nodes)%(len(w.Nodes)-1))%len(w.Nodes)
	author, err := w.visit(ctx, there, rand.New(rand.NewPCG(rng.Uint64(), 1)))
	if err != nil {
		return err.Error()
	}
	defer author.goodbye()
	comer, err := w.visit(ctx, here, rand.New(rand.NewPCG(rng.Uint64(), 2)))
	if err != nil {
		return err.Error()
	}
	defer comer.goodbye()
	if _, err := author.ask(ctx, protocol.PathJoin, map[string]string{"room": room}); err != nil {
		return err.Error()
	}
	wait := time.Duration(rng.Int64N(int64(150 * time.Millisecond)))
	var published broker.Position
	var failed error
	var publishing sync.WaitGroup
	publishing.Go(func() {
		time.Sleep(wait)
		published, failed = author.ask(ctx, protocol.PathPublish, map[string]any{"room": room, "path": "note", "data": "salaam", "key": fmt.Sprint(room, rng.Uint64())})
	})
	joined, err := comer.ask(ctx, protocol.PathJoin, map[string]string{"room": room})
	publishing.Wait()
	if err = errors.Join(err, failed); err != nil {
		return fmt.Sprintf("%s: %v", room, err)
	}
	if joined.Offset >= published.Offset {
		return ""
	}
	w.Overtaken.Add(1)
	if comer.got[published.String()] {
		return ""
	}
	limit := time.NewTimer(lateAfter)
	defer limit.Stop()
	for {
		select {
		case e, ok := <-comer.in:
			if !ok {
				return room + ": the newcomer's connection ended"
			}
			if e.Position == published.String() {
				return ""
			}
		case <-limit.C:
			return fmt.Sprintf("%s: who joined on node %d at %s has not got %s of node %d, %v later", room, here, joined, published, there, lateAfter)
		case <-ctx.Done():
			return ""
		}
	}
}

// A visitor is a socket of which one request is answered at a time.
type visitor struct {
	*socket
	got  map[string]bool // positions of messages that came meanwhile
	last int64
}

// visit connects to a node and says hello.
func (w *World) visit(ctx context.Context, node int, rng *rand.Rand) (*visitor, error) {
	s, err := dial(w.Nodes[node], node, "", rng)
	if err != nil {
		return nil, err
	}
	v := &visitor{socket: s, got: map[string]bool{}}
	if _, err := v.ask(ctx, protocol.PathHello, map[string]int{"version": 1}); err != nil {
		s.drop()
		return nil, err
	}
	return v, nil
}

// ask answers the position that an answer names, if it names one.
func (v *visitor) ask(ctx context.Context, path string, data any) (at broker.Position, err error) {
	b, err := protocol.Marshal(data)
	if err != nil {
		return at, err
	}
	v.last++
	id := protocol.IntID(v.last)
	if err := v.say(&protocol.Envelope{Path: path, ID: id, Data: b}); err != nil {
		return at, err
	}
	limit := time.NewTimer(roomLimit)
	defer limit.Stop()
	for {
		select {
		case e, ok := <-v.in:
			switch {
			case !ok:
				return at, fmt.Errorf("%s: the connection ended", path)
			case e.Reply != id:
				v.got[e.Position] = true
				continue
			case e.Error != nil:
				return at, fmt.Errorf("%s was answered %s", path, e.Error.Code)
			}
			var answer struct{ Position string }
			if json.Unmarshal(e.Data, &answer) == nil && answer.Position != "" {
				at, err = broker.ParsePosition(answer.Position)
			}
			return at, err
		case <-limit.C:
			return at, fmt.Errorf("%s was not answered within %v", path, roomLimit)
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}
