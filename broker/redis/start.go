package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// Start is documented at broker.Broker. It waits for servers that are not there
// yet until ctx ends. Other errors come at once: options or a node that are not
// valid, a password that is refused, a server that is older than 7.0 or a replica,
// another number of partitions than the namespace has. The id of a node that died
// is free again when its lease has ended; Start waits for that, and fails if the
// lease is renewed.
//
// A Start that failed may be tried again.
func (b *Broker) Start(ctx context.Context, node broker.Node, sink broker.Sink) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.used.Swap(true) {
		return errors.New("redis: a broker is started once; make another with New")
	}
	if err := b.validate(node, sink); err != nil {
		b.used.Store(false)
		return err
	}
	if err := b.dial(ctx); err != nil {
		b.used.Store(false)
		return err
	}
	defer func() {
		if err != nil {
			b.giveUp()
		}
	}()
	if err := b.inspect(ctx); err != nil {
		return err
	}
	if err := b.agree(ctx); err != nil {
		return err
	}
	b.makeLanes()
	for _, l := range b.lanes {
		b.tasks.Go(func() { l.run(b.life) })
	}
	for _, l := range b.lanes {
		if err := l.awaitSettled(ctx); err != nil && hopeless(err) {
			return fmt.Errorf("redis: %w", explain(err))
		} else if err != nil {
			return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, explain(err))
		}
	}
	if _, err := b.say(ctx, b.lanes[0].probe, newFrame(frameProbe, 0, "", nil)); err != nil {
		return b.unavailable(ctx, err)
	}
	live, err := b.join(ctx)
	if err != nil {
		return err
	}
	b.started.Store(true)
	b.tell(b.census.update(live, time.Now()))
	b.news.Lock()
	b.connected, b.state = true, broker.Connected
	sink.State(broker.Connected, nil)
	b.news.Unlock()
	b.tasks.Go(func() { b.watch(b.life) })
	b.tasks.Go(func() { b.probe(b.life) })
	b.tasks.Go(func() { b.keep(b.life) })
	b.judge() // what happened meanwhile
	return nil
}

// giveUp takes back what a Start that failed has begun.
func (b *Broker) giveUp() {
	b.end()
	b.silence()
	b.closeLines(broker.ErrClosed, true)
	b.tasks.Wait()
	b.client().Close()
	b.lanes, b.closed, b.answers.closed = nil, false, false
	b.beating = make(chan struct{}, 1)
	b.lines = lines{open: map[string]*line{}}
	b.life, b.end = context.WithCancel(context.Background())
	b.used.Store(false)
}

// dial makes the client, again and again until ctx ends.
func (b *Broker) dial(ctx context.Context) error {
	option, err := b.options.client(b.node)
	if err != nil {
		return err
	}
	type made struct {
		client rueidis.Client
		err    error
	}
	pause := newPause(50*time.Millisecond, time.Second)
	for {
		done := make(chan made, 1)
		go func() { // making one knows no context
			client, err := rueidis.NewClient(option)
			done <- made{client, err}
		}()
		var last error
		select {
		case m := <-done:
			if m.err == nil {
				b.current.Store(&m.client)
				b.clientOption = option
				b.cluster = m.client.Mode() == rueidis.ClientModeCluster
				b.names = newNames(b.options.Namespace, option.SelectDB, b.options.Partitions)
				return nil
			}
			if last = m.err; hopeless(last) {
				return fmt.Errorf("redis: %w", explain(last))
			}
		case <-ctx.Done():
			go func() {
				if m := <-done; m.err == nil {
					m.client.Close()
				}
			}()
			return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, ctx.Err())
		}
		if !pause.wait(ctx, nil) {
			return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, explain(last))
		}
	}
}

// hopeless reports whether trying again would give the same.
func hopeless(err error) bool {
	switch word, _ := refusal(err); word {
	case "NOAUTH", "WRONGPASS", "NOPERM":
		return true
	}
	return strings.Contains(err.Error(), noCluster) || strings.Contains(err.Error(), noMaster) || strings.Contains(err.Error(), noChoice)
}

// agree makes sure that all nodes spread rooms over the same partitions.
func (b *Broker) agree(ctx context.Context) error {
	mine := strconv.Itoa(b.options.Partitions)
	c := b.client()
	theirs, err := c.Do(ctx, c.B().Arbitrary("SET").Keys(b.names.system("partitions")).Args(mine, "NX", "GET").Build()).ToString()
	switch {
	case rueidis.IsRedisNil(err) || err == nil && theirs == mine:
		return nil
	case err != nil:
		return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, explain(err))
	}
	return fmt.Errorf("redis: namespace %q has %s partitions, not %s: all nodes have to say the same", b.options.Namespace, theirs, mine)
}

// makeLanes makes the lanes with what is always heard on them.
func (b *Broker) makeLanes() {
	system := b.options.Partitions
	own := b.names.channel(kindNode, b.node)
	if !b.cluster {
		probe := b.names.channelIn(system, kindProbe, b.instance)
		b.lanes = []*lane{newLane(b, system, probe, []string{probe, own, b.everyone()})}
		return
	}
	for partition := range system + 1 {
		probe := b.names.channelIn(partition, kindProbe, b.instance)
		fixed := []string{probe}
		switch partition {
		case b.names.partition(b.node):
			fixed = append(fixed, own)
		case system:
			fixed = append(fixed, b.everyone())
		}
		b.lanes = append(b.lanes, newLane(b, partition, probe, fixed))
	}
}

// join takes the node's lease.
func (b *Broker) join(ctx context.Context) ([]broker.NodeState, error) {
	me := broker.NodeState{ID: b.node, Incarnation: newEpoch().String()}
	b.census.begin(me)
	var free time.Time // when a lease of this id that was found ends at the latest, if it is not renewed
	for {
		asked := time.Now()
		done, live, err := b.lease(ctx, "join", me.Incarnation)
		if err != nil {
			return nil, b.unavailable(ctx, err)
		}
		if done == 1 {
			b.say(ctx, b.everyone(), newFrame(frameNodes, 0, b.node, nil))
			return live, nil
		}
		left := time.Duration(-done) * time.Millisecond
		if free.IsZero() {
			free = time.Now().Add(left)
			b.options.Logger.Warn("redis: a node of this id lives, or has just died; waiting for its lease to end", "node", b.node, "wait", left)
		} else if asked.Add(left).After(free.Add(b.rhythm.beat/10)) || asked.After(free.Add(b.rhythm.beat/4)) { // it was renewed
			return nil, fmt.Errorf("%w: %q: two nodes must not share one", errSameID, b.node)
		}
		timer := time.NewTimer(min(left+time.Millisecond, b.rhythm.beat/4))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: redis: a live node has the id %q: %w", broker.ErrUnavailable, b.node, ctx.Err())
		}
	}
}
