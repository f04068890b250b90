package nats

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
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

// probeEvery is how often the way of a message is tried.
const probeEvery = 5 * time.Second

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
	every := time.NewTicker(probeEvery)
	defer every.Stop()
	for n := 0; ; {
		select {
		case <-every.C:
		case <-b.life.Done():
			return
		}
		if !b.link.conn.IsConnected() {
			continue
		}
		if b.deaf() {
			b.log.Warn("nats: what is published does not come back; connecting anew")
			if err := b.link.conn.ForceReconnect(); err != nil {
				b.log.Warn("nats: cannot connect anew", "err", err)
			}
			continue
		}
		if own := b.ownStreams(); b.sendProbe(own[n%len(own)]) { // or else the same one again
			n++
		}
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

func (b *Broker) sendProbe(s *stream) bool {
	b.probe.mu.Lock()
	b.probe.awaited = true
	b.probe.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.life, probeEvery)
	defer cancel()
	_, err := b.sound(ctx, s)
	if err != nil {
		b.probe.mu.Lock()
		b.probe.awaited = false // nothing was acknowledged, so nothing is missing
		b.probe.mu.Unlock()
		if b.life.Err() == nil && !errors.Is(err, broker.ErrClosed) {
			b.set(&b.trouble, err)
		}
		return false
	}
	b.news.mu.Lock()
	recovers := b.trouble != nil
	b.news.mu.Unlock()
	if recovers {
		b.set(&b.trouble, nil)
		b.doubtAll(errRecovered)
	}
	return true
}
