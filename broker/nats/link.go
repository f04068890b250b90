package nats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// A link is the node's connection.
type link struct {
	conn  *natsgo.Conn
	dials atomic.Uint64 // attempts to connect; a message that arrives after one may have lost predecessors
	fault atomic.Value  // error of the last that failed; nats.go keeps it to itself

	mu     sync.Mutex
	ctx    context.Context // ends when the connection is lost; another comes with the next
	cancel context.CancelCauseFunc
}

var (
	errLinkLost = errors.New("nats: the connection to the server was lost")
	errTimeout  = errors.New("nats: no answer in time")
)

// bound ends a context with the connection and after a time.
func (l *link) bound(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	life := l.life()
	ctx, end := context.WithCancelCause(ctx)
	if life.Err() != nil { // AfterFunc would say so a moment later
		end(context.Cause(life))
	}
	timer := time.AfterFunc(after, func() { end(errTimeout) })
	stop := context.AfterFunc(life, func() { end(context.Cause(life)) })
	return ctx, func() { stop(); timer.Stop(); end(nil) }
}

// life ends with the connection that there is now.
func (l *link) life() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ctx
}

// broken reports whether there is no connection.
func (l *link) broken() bool { return l.life().Err() != nil }

func (l *link) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil || l.ctx.Err() != nil {
		l.ctx, l.cancel = context.WithCancelCause(context.Background())
	}
}

// lost ends all that waits for an answer.
func (l *link) lost(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel(why)
	}
}

// A countingDialer counts the attempts to connect, before each: nats.go tells of
// a reconnect on another goroutine than the one that brings messages, and may
// tell it after the first of them.
type countingDialer struct {
	natsgo.CustomDialer
	link *link
}

func (d countingDialer) Dial(network, address string) (net.Conn, error) {
	d.link.dials.Add(1)
	conn, err := d.CustomDialer.Dial(network, address)
	if err != nil {
		d.link.fault.Store(fault{err})
	}
	return conn, err
}

type fault struct{ error }

// SkipTLSHandshake passes on what the user's own dialer says.
func (d countingDialer) SkipTLSHandshake() bool {
	skips, ok := d.CustomDialer.(interface{ SkipTLSHandshake() bool })
	return ok && skips.SkipTLSHandshake()
}

type countingProvider struct {
	natsgo.InProcessConnProvider
	link *link
}

func (p countingProvider) InProcessConn() (net.Conn, error) {
	p.link.dials.Add(1)
	return p.InProcessConnProvider.InProcessConn()
}

// connectOptions are the user's, within what the promise needs.
func (b *Broker) connectOptions() (natsgo.Options, error) {
	o := natsgo.GetDefaultOptions()
	o.Timeout = 2 * time.Second
	o.ReconnectWait, o.ReconnectJitter, o.ReconnectJitterTLS = 100*time.Millisecond, 150*time.Millisecond, 150*time.Millisecond
	o.PingInterval, o.MaxPingsOut = 5*time.Second, 2
	o.Name = "finch node " + b.id
	for _, set := range b.options.Connect {
		if err := set(&o); err != nil {
			return o, fmt.Errorf("nats: Options.Connect: %w", err)
		}
	}
	for _, one := range strings.Split(b.options.URL, ",") {
		if one = strings.TrimSpace(one); one != "" {
			o.Servers = append(o.Servers, one)
		}
	}
	o.AllowReconnect, o.MaxReconnect, o.RetryOnFailedConnect = true, -1, false
	o.ReconnectBufSize = -1       // a publish while disconnected fails at once
	o.IgnoreAuthErrorAbort = true // a password that is changed back ends the trouble
	o.NoEcho = false
	if o.CustomDialer == nil {
		dialer := o.Dialer
		if dialer == nil {
			dialer = &net.Dialer{}
		}
		timed := *dialer
		if timed.Timeout == 0 {
			timed.Timeout = o.Timeout
		}
		o.CustomDialer = &timed
	}
	o.CustomDialer = countingDialer{o.CustomDialer, &b.link}
	if o.InProcessServer != nil {
		o.InProcessServer = countingProvider{o.InProcessServer, &b.link}
	}
	life := b.lives.Load()
	o.DisconnectedErrCB = func(_ *natsgo.Conn, err error) {
		if b.lives.Load() == life { // else it is the connection of a start that failed
			b.disconnected(err)
		}
	}
	o.ReconnectedCB = func(*natsgo.Conn) { b.reconnected() }
	o.AsyncErrorCB = func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) {
		if !errors.Is(err, natsgo.ErrSlowConsumer) { // the workers see that themselves
			b.log.Warn("nats: the connection reports an error", "err", err)
		}
	}
	return o, nil
}

// connect dials until a server answers, ctx ends, or trying on has no use.
func (b *Broker) connect(ctx context.Context) error {
	o, err := b.connectOptions()
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		b.link.renew()
		conn, err := o.Connect()
		if err == nil {
			b.link.conn = conn
			b.announced = b.link.dials.Load()
			return nil
		}
		if f, ok := b.link.fault.Load().(fault); ok && errors.Is(err, natsgo.ErrNoServers) {
			err = f.error
		}
		switch {
		case errors.Is(err, natsgo.ErrAuthorization), errors.Is(err, natsgo.ErrAuthExpired), errors.Is(err, natsgo.ErrAuthRevoked), errors.Is(err, natsgo.ErrAccountAuthExpired):
			return fmt.Errorf("nats: the server refuses these credentials (check user, password or Options.Connect): %w", err)
		case isURL(err):
			return fmt.Errorf("nats: Options.URL %s is none: %w", redacted(b.options.URL), err)
		case !unreachable(err):
			return fmt.Errorf("%w: nats: cannot connect to %s: %w", broker.ErrUnavailable, redacted(b.options.URL), err)
		case try == 0:
			b.log.Warn("nats: no server answers; trying on", "url", redacted(b.options.URL), "err", err)
		}
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("%w: nats: no server answers at %s: %w", broker.ErrUnavailable, redacted(b.options.URL), err)
		}
	}
}

// isURL says of an error of connecting that the URL itself is wrong.
func isURL(err error) bool {
	_, wrong := errors.AsType[*url.Error](err)
	return wrong
}

// unreachable says of an error of connecting that time may cure it.
func unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, natsgo.ErrNoServers) || errors.Is(err, natsgo.ErrTimeout) ||
		errors.Is(err, natsgo.ErrStaleConnection) || errors.Is(err, natsgo.ErrConnectionClosed) || strings.Contains(err.Error(), "EOF")
}

// redacted is a list of URLs without what may be secret in them.
func redacted(urls string) string {
	list := strings.Split(urls, ",")
	for i, one := range list {
		if at := strings.LastIndexByte(one, '@'); at >= 0 {
			scheme, _, ok := strings.Cut(one, "://")
			if list[i] = "***@" + one[at+1:]; ok {
				list[i] = scheme + "://" + list[i]
			}
		}
	}
	return strings.Join(list, ",")
}

// pause waits, and reports whether it could to the end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
