package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/finch-go/finch/client"
)

// options are those of the command new, in milliseconds.
type options struct {
	RetryFirst       float64   `json:"retry_first"`
	RetryMax         float64   `json:"retry_max"`
	RetrySteady      float64   `json:"retry_steady"`
	ConnectTimeout   float64   `json:"connect_timeout"`
	RequestTimeout   float64   `json:"request_timeout"`
	Heartbeat        float64   `json:"heartbeat"`
	HeartbeatTimeout float64   `json:"heartbeat_timeout"`
	PublishTimeout   float64   `json:"publish_timeout"`
	PublishRetry     float64   `json:"publish_retry"`
	Tokens           []*string `json:"tokens"`
}

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// An actor is one client of the suite's, with a goroutine that carries out its
// commands in order.
type actor struct {
	name     string
	control  *control
	commands chan command
	life     context.Context // until it is forgotten
	end      context.CancelFunc
	client   *client.Client
}

func newActor(name string, c *control) *actor {
	a := &actor{name: name, control: c, commands: make(chan command, 1024)}
	a.life, a.end = context.WithCancel(context.Background())
	go func() {
		for {
			select {
			case cmd := <-a.commands:
				a.do(cmd)
			case <-a.life.Done():
				return
			}
		}
	}()
	return a
}

func (a *actor) tell(cmd command) { a.commands <- cmd }

// report tells the suite, unless the scenario is over.
func (a *actor) report(saw string, r report) {
	if a.life.Err() != nil {
		return
	}
	if r == nil {
		r = report{}
	}
	r["saw"], r["client"] = saw, a.name
	a.control.write(r)
}

// failed reports an error, with the suite's codes for the client's own.
func (a *actor) failed(ref int, err error) {
	r := report{"ref": ref, "message": err.Error()}
	var e *client.Error
	switch {
	case errors.Is(err, client.ErrOutcomeUnknown):
		r["code"] = "outcome_unknown"
	case errors.As(err, &e):
		r["code"], r["status"], r["message"] = e.Code, e.Status, e.Message
	case errors.Is(err, client.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		r["code"] = "timeout"
	case errors.Is(err, client.ErrConnectionLost):
		r["code"] = "connection_lost"
	case errors.Is(err, client.ErrClosed):
		r["code"] = "closed"
	case errors.Is(err, client.ErrNotSent):
		r["code"] = "not_sent"
	default:
		r["code"] = "client"
	}
	a.report("error", r)
}

func (a *actor) make(cmd command) error {
	o := cmd.Options
	opts := &client.Options{
		RetryFirst: ms(o.RetryFirst), RetryMax: ms(o.RetryMax), RetrySteady: ms(o.RetrySteady),
		ConnectTimeout: ms(o.ConnectTimeout), RequestTimeout: ms(o.RequestTimeout),
		Heartbeat: ms(o.Heartbeat), HeartbeatTimeout: ms(o.HeartbeatTimeout),
		PublishTimeout: ms(o.PublishTimeout), PublishRetry: ms(o.PublishRetry),
		Logger: slog.New(slog.DiscardHandler),
		OnState: func(s client.State) {
			r := report{"state": s.Phase.String()}
			switch s.Phase {
			case client.Waiting:
				r["code"], r["reason"], r["delay"] = s.Code, s.Reason, s.Delay.Seconds()*1000
			case client.Closed:
				r["code"], r["reason"] = s.Code, s.Reason
			}
			a.report("state", r)
		},
		OnEvent: func(ctx context.Context, e client.Event) { a.saw(e, 0) },
	}
	if o.Tokens != nil {
		opts.Token = tokens(o.Tokens)
	}
	var err error
	a.client, err = client.New(cmd.URL, opts)
	return err
}

// tokens is the function that gives one token after another.
func tokens(all []*string) func(context.Context) (string, error) {
	var mu sync.Mutex
	return func(context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		next := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		if next == nil {
			return "", errors.New("no token now")
		}
		return *next, nil
	}
}

// saw reports an event of a room; ref is that of a join, or 0.
func (a *actor) saw(e client.Event, ref int) {
	switch e := e.(type) {
	case *client.Message:
		a.report("message", shown(e))
	case *client.Joined:
		r := report{"room": e.Room, "to": e.To, "position": e.Position, "recovered": e.Recovered, "missed": e.Missed}
		if ref != 0 {
			r["ref"] = ref
		}
		a.report("joined", r)
	case *client.Lagged:
		a.report("lagged", report{"room": e.Room})
	case *client.Reset:
		a.report("reset", report{"room": e.Room, "to": e.To, "position": e.Position, "reason": e.Reason})
	case *client.Left:
		r := report{"room": e.Room}
		if e.Err != nil {
			r["code"] = e.Err.Code
		}
		a.report("left", r)
	}
}

// shown is what a message looks like in a report.
func shown(m *client.Message) report {
	r := report{"path": m.Path}
	if m.Binary != nil {
		r["bytes"] = m.Binary
	} else {
		r["data"] = m.Data
	}
	for name, value := range map[string]string{"room": m.Room, "to": m.To, "position": m.Position, "from": m.From, "key": m.Key} {
		if value != "" {
			r[name] = value
		}
	}
	return r
}

// A player is a handler that behaves as the suite wants it.
type player struct {
	a *actor
	behaviour
	once sync.Once
}

// play handles one message.
func (p *player) play(m *client.Message) (any, error) {
	p.a.report("message", shown(m))
	p.once.Do(func() {
		for _, cmd := range p.Then {
			p.a.within(cmd)
		}
	})
	select {
	case <-time.After(ms(p.Delay)):
	case <-p.a.life.Done():
	}
	switch {
	case p.Fail != nil:
		return nil, p.Fail
	case p.Throws:
		return nil, errors.New("a bug")
	case p.AnswerBytes != nil:
		return p.AnswerBytes, nil
	}
	return p.Answer, nil
}

// answer is the data of a result, JSON or bytes.
func answer(ref int, m *client.Message) report {
	r := shown(m)
	r["ref"] = ref
	return r
}

// raw is the data of a command.
func (cmd *command) raw() any {
	if cmd.Bytes != nil {
		return *cmd.Bytes
	}
	if cmd.Data == nil {
		return json.RawMessage("null")
	}
	return cmd.Data
}
