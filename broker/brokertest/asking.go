package brokertest

import (
	"context"
	"errors"
	"time"

	"github.com/finch-go/finch/broker"
)

func askIsAnswered(f *fixture) {
	nodes := f.nodes[0].Nodes()
	to := nodes[len(nodes)-1].ID
	answer, err := f.nodes[0].Ask(f.ctx, to, []byte("who?"))
	if want := to + " to node-0: who?"; err != nil || string(answer) != want {
		f.Errorf("the answer is %q, %v; want %q", answer, err, want)
	}
	_, err = f.nodes[0].Ask(f.ctx, to, []byte("refuse"))
	if r, ok := errors.AsType[*broker.Refusal](err); !ok || r.Text != "no such room here" {
		f.Errorf("a refusal is %v", err)
	}
	if _, err := f.nodes[0].Ask(f.ctx, "nobody", nil); !errors.Is(err, broker.ErrUnknownNode) {
		f.Errorf("a node that does not live: %v", err)
	}
}

// slowness is longer than a broker waits before it wonders about a node, several
// times over.
const slowness = 800 * time.Millisecond

// hesitate waits for slowness, or until ctx ends.
func hesitate(ctx context.Context) error {
	timer := time.NewTimer(slowness)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slowAnswer: to take long is not to be gone.
func slowAnswer(f *fixture) {
	nodes := f.nodes[0].Nodes()
	to := nodes[len(nodes)-1].ID
	late := f.ask(f.ctx, to, "hesitate", 5)
	ctx, cancel := context.WithTimeout(f.ctx, slowness/2)
	defer cancel()
	if err := <-f.ask(ctx, to, "hesitate", 1); !errors.Is(err, context.DeadlineExceeded) {
		f.Errorf("a question whose context ended gives %v", err)
	}
	for range cap(late) {
		if err := <-late; err != nil {
			f.Errorf("a question that was answered late gives %v", err)
		}
	}
}

// goneWhileAsked: whoever waits for a node that goes waits no longer.
func goneWhileAsked(f *fixture) {
	if f.Alone {
		return
	}
	b, in := f.last()
	nodes := f.nodes[0].Nodes()
	ctx, cancel := context.WithTimeout(f.ctx, patience)
	defer cancel()
	asked := f.ask(ctx, nodes[len(nodes)-1].ID, "wait", 20)
	in.until(f.T, "the questions", func() bool { return in.questions == cap(asked) })
	if err := b.Close(ctx); err != nil {
		f.Error(err)
	}
	for range cap(asked) {
		if err := <-asked; !errors.Is(err, broker.ErrUnknownNode) && !errors.Is(err, broker.ErrUnavailable) {
			f.Errorf("a question to a node that has gone gives %v", err)
		}
	}
	f.boxes[0].eventually(f.T, "news of the node's end", func() bool { return len(f.nodes[0].Nodes()) == 1 })
	if err := <-f.ask(ctx, nodes[len(nodes)-1].ID, "wait", 1); !errors.Is(err, broker.ErrUnknownNode) {
		f.Errorf("the next question gives %v", err)
	}
}

// ask puts a question n times at once, and returns where each one's error comes.
func (f *fixture) ask(ctx context.Context, node, question string, n int) <-chan error {
	ended := make(chan error, n)
	for range n {
		go func() {
			_, err := f.nodes[0].Ask(ctx, node, []byte(question))
			ended <- err
		}()
	}
	return ended
}
