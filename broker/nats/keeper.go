package nats

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// kick has the keeper look at the streams soon.
func (b *Broker) kick() {
	select {
	case b.kicked <- struct{}{}:
	default:
	}
}

// keepStreams makes streams anew that somebody deleted, and learns after a
// reconnect what this node may have missed.
func (b *Broker) keepStreams() {
	var said string
	for {
		select {
		case <-b.kicked:
		case <-b.life.Done():
			return
		}
		ctx, cancel := context.WithTimeout(b.life, 4*b.options.Timeout)
		err := b.lookAfter(ctx)
		cancel()
		if err == nil {
			said = ""
		} else if b.life.Err() == nil {
			if text := err.Error(); text != said { // once
				said = text
				b.log.Warn("nats: the store is not as it should be; trying on", "err", err)
			}
			if pause(b.life, time.Second) {
				b.kick()
			}
		}
		pause(b.life, 500*time.Millisecond) // not more often
	}
}

func (b *Broker) lookAfter(ctx context.Context) error {
	if !b.link.conn.IsConnected() {
		return nil // the reconnect kicks again
	}
	created, err := b.ensureStreams(ctx)
	if err != nil {
		return err
	}
	if b.epochs.rebase(created[b.layout.stateStream()]) {
		b.log.Error("nats: the namespace's state stream was made anew; every room begins a new epoch", "namespace", b.layout.ns)
		for p := range b.layout.partitions {
			b.forgetPartition(p)
		}
		b.doubtAll(errStreamAnew)
	}
	b.lookAtClock(ctx)
	if err := b.relearnEpochs(ctx); err != nil {
		return err
	}
	if err := b.noteStreams(ctx, created); err != nil {
		return err
	}
	if err := b.sharesMadeAnew(ctx, created[b.layout.sharesStream()]); err != nil {
		return err
	}
	if err := b.findStreams(ctx); err != nil {
		return err
	}
	return b.learnNodes(ctx)
}

// A probe waits for soundings to come back through the live subscription.
type probe struct {
	mu      sync.Mutex
	awaited bool // one was acknowledged, and none has come since
	missed  int  // in a row
}

// probeEvery is how often the way of a message is tried; healEvery, how often
// that of a stream which took no message.
const (
	probeEvery = 5 * time.Second
	healEvery  = time.Second
)

// heard takes note of a sounding that came back: whichever it is, this node hears.
func (b *Broker) heard() {
	b.probe.mu.Lock()
	defer b.probe.mu.Unlock()
	b.probe.awaited, b.probe.missed = false, 0
}

// keepProbing sends soundings, through one stream after another. One that the
// store refuses shows that the store is in trouble; two that are acknowledged and
// not heard, that a subscription has died silently: then the connection is made
// anew.
func (b *Broker) keepProbing() {
	every := time.NewTicker(healEvery)
	defer every.Stop()
	last := time.Now()
	for n := 0; ; {
		select {
		case <-every.C:
		case <-b.life.Done():
			return
		}
		if !b.link.conn.IsConnected() {
			continue
		}
		b.heal()
		if time.Since(last) < probeEvery {
			continue
		}
		last = time.Now()
		if b.deaf() {
			b.log.Warn("nats: what is published does not come back; connecting anew")
			if err := b.link.conn.ForceReconnect(); err != nil {
				b.log.Warn("nats: cannot connect anew", "err", err)
			}
			continue
		}
		own := b.ownStreams()
		b.sendProbe(own[n%len(own)])
		n++
	}
}

// deaf counts the soundings that did not come back.
func (b *Broker) deaf() bool {
	p := &b.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.awaited {
		p.awaited = false
		p.missed++
	}
	if p.missed < 2 {
		return false
	}
	p.missed = 0
	return true
}

func (b *Broker) sendProbe(s *stream) {
	b.probe.mu.Lock()
	b.probe.awaited = true
	b.probe.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.life, probeEvery)
	defer cancel()
	if _, err := b.sound(ctx, s); err != nil {
		b.heard() // nothing was acknowledged, so nothing is missing
		b.sicken(s, err)
	}
}

// sicken notes that a stream took no message. From now on publishes to it fail at
// once, until a sounding has come through.
func (b *Broker) sicken(s *stream, why error) {
	if b.life.Err() != nil || b.link.broken() {
		return // it is not the stream
	}
	if !s.sick.Swap(true) {
		b.log.Warn("nats: a stream takes no message; the log of its server says why (no quorum, a full disk)", "stream", s.name, "err", why)
	}
	b.set(&b.trouble, fmt.Errorf("nats: stream %s takes no message: %w", s.name, why))
}

// heal tries the streams that took no message. When all do again, the store may
// have changed.
func (b *Broker) heal() {
	b.news.mu.Lock()
	trouble := b.trouble != nil
	b.news.mu.Unlock()
	if !trouble {
		return
	}
	ctx, cancel := context.WithTimeout(b.life, b.options.Timeout)
	defer cancel()
	var g group
	for _, s := range b.fleet.Load().streams {
		if s.sick.Load() {
			g.Go(func() error {
				_, err := b.sound(ctx, s)
				if err == nil {
					s.sick.Store(false)
				}
				return err
			})
		}
	}
	if g.Wait() == nil {
		b.set(&b.trouble, nil)
		b.doubtAll(errRecovered)
	}
}
