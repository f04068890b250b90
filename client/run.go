package client

import (
	"context"
	"errors"
	"time"

	"github.com/finch-go/finch/protocol"
)

// run keeps the client connected. It ends with the client.
func (c *Client) run() {
	for {
		c.mu.Lock()
		c.setState(State{Phase: Connecting})
		c.mu.Unlock()
		e, reason := c.connection()
		if c.life.Err() != nil {
			return
		}
		v := c.retry.after(e, c.options.Token != nil, random())
		if v.stop {
			c.shut(&ClosedError{Code: e.code, Reason: reason})
			return
		}
		c.mu.Lock()
		if v.newToken {
			c.token = ""
		}
		c.setState(State{Phase: Waiting, Code: e.code, Reason: reason, Delay: v.delay})
		c.mu.Unlock()
		select {
		case <-time.After(v.delay):
		case <-c.life.Done():
			return
		}
	}
}

// connection opens a connection and returns how it ended, in the end.
func (c *Client) connection() (ending, string) {
	ctx, cancel := context.WithTimeoutCause(c.life, c.options.ConnectTimeout, errors.New("the server did not answer in time"))
	defer cancel()
	token, err := c.currentToken(ctx)
	if err != nil {
		if errors.Is(err, ErrSignedOut) {
			return ending{code: protocol.CloseUnauthorized}, err.Error()
		}
		return ending{code: protocol.CloseAbnormal}, "there is no token: " + err.Error()
	}
	l, err := c.options.dial(ctx, c.url, token, c.received)
	if err != nil {
		return ending{code: refusalCode(err)}, err.Error()
	}
	if c.greet(l) {
		select {
		case <-l.opened:
			cancel()
			c.watch(l)
		case <-l.dead:
		case <-ctx.Done():
			l.fail(protocol.CloseAbnormal, context.Cause(ctx).Error())
		}
	} else {
		l.fail(protocol.CloseAbnormal, "closed")
	}
	<-l.done // so that nothing of it comes behind what the next one brings
	c.detach(l)
	return l.ended()
}

// currentToken asks for a token if there is none.
func (c *Client) currentToken(ctx context.Context) (string, error) {
	c.mu.Lock()
	token := c.token
	c.mu.Unlock()
	if token != "" || c.options.Token == nil {
		return token, nil
	}
	token, err := c.options.Token(ctx)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.token = token
	c.mu.Unlock()
	return token, nil
}

// refusalCode says in a close code what an HTTP status says.
func refusalCode(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		switch r.status {
		case protocol.StatusUnauthorized:
			return protocol.CloseUnauthorized
		case protocol.StatusForbidden:
			return protocol.CloseForbidden
		}
	}
	return protocol.CloseAbnormal
}

// watch waits until an open connection is dead: it looks for signs of life, and
// leaves at the moment that finch.drain gave.
func (c *Client) watch(l *link) {
	c.mu.Lock()
	beat := c.heartbeat
	c.mu.Unlock()
	const none = -1
	pinged := time.Duration(none) // what heardAt was when it was asked for a sign of life
	for {
		heard := l.heardAt()
		if heard != pinged {
			pinged = none
		}
		silence := l.age() - heard
		wait := beat - silence
		if pinged != none {
			wait += c.options.HeartbeatTimeout
		}
		slot, draining := l.untilSlot()
		switch {
		case draining && slot <= 0:
			l.leave(protocol.CloseGoingAway, "back at the given moment")
			<-l.dead
			return
		case beat <= 0:
			wait = time.Hour // nothing to look for
		case wait <= 0 && pinged != none:
			l.fail(protocol.CloseAbnormal, "the server gave no sign of life")
			return
		case wait <= 0:
			l.ping()
			pinged = heard
			continue
		}
		if draining {
			wait = min(wait, slot)
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.dead:
			timer.Stop()
			return
		case <-l.drained:
			timer.Stop()
		case <-timer.C:
		}
	}
}
