// Package store opens what joins the nodes of a demo, or keeps what is said there:
// NATS, Redis or a directory. It is for people at a terminal: each of its errors is
// one sentence that says what helps. It is no broker; it makes those of the
// packages below broker.
package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/finch-go/finch/broker"
)

// Options say which store; one of NATS, Redis and Dir is set.
type Options struct {
	// NATS is the address of the servers, Redis that of the server, and Dir the
	// directory.
	NATS, Redis, Dir string
	// Secret is shared by all nodes. Empty: they agree on one, which the store
	// keeps.
	Secret string
	// Patience is how long a server that does not answer is waited for. Zero: 15 s.
	Patience time.Duration
	// Say tells the person at the terminal something. It must be set.
	Say func(sentence string)
	// Logger gets what brokers log. Nil: slog.Default().
	Logger *slog.Logger
}

// A Store is open. It holds nothing: what it opens belongs to whoever asked.
type Store struct {
	Name   string // "NATS", "Redis"; empty: a directory, which joins nobody
	Where  string // for people, without passwords
	Secret []byte

	open func(part string) broker.Broker
}

// Broker makes the broker of one part of the program. Parts hear nothing of each
// other.
func (s *Store) Broker(part string) broker.Broker { return s.open(part) }

const (
	usualPatience = 15 * time.Second
	// tryWithin bounds one try to reach a server, tryEvery is the pause behind it.
	tryWithin = 2 * time.Second
	tryEvery  = 500 * time.Millisecond
	// secretBytes is how long a secret is that is made here, leastSecret how long
	// one that people give has to be.
	secretBytes = 32
	leastSecret = 16
)

// prefix begins the names of all that a demo keeps in a store.
const prefix = "finch-demo"

// Open reaches the store, and waits for a server that does not answer yet.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Patience == 0 {
		o.Patience = usualPatience
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Secret != "" && len(o.Secret) < leastSecret {
		return nil, fmt.Errorf("FINCH_SECRET has %d characters, and needs %d that nobody guesses; without it the nodes agree on a secret by themselves", len(o.Secret), leastSecret)
	}
	var s *Store
	var err error
	switch {
	case o.NATS != "":
		s, err = openNATS(ctx, o)
	case o.Redis != "":
		s, err = openRedis(ctx, o)
	default:
		s, err = openDir(o)
	}
	if err == nil && o.Secret != "" {
		s.Secret = []byte(o.Secret)
	}
	return s, err
}

// errNobody is wrapped by the error of a try that found nobody who answers: time
// may help.
var errNobody = errors.New("nobody answers")

// persist tries until something else than nobody answers, and says once that it
// goes on trying.
func persist(ctx context.Context, o Options, where string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	said := false
	for {
		err := try(ctx)
		if !errors.Is(err, errNobody) {
			return err
		}
		if !said {
			o.Say(fmt.Sprintf("Nobody answers at %s yet; trying on for %v.", where, o.Patience))
			said = true
		}
		again := time.NewTimer(tryEvery)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return err
		}
	}
}

// newSecret makes a secret, as text that can be kept anywhere.
func newSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// parseSecret reads what newSecret made.
func parseSecret(text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err == nil && len(b) != secretBytes {
		err = fmt.Errorf("%d bytes", len(b))
	}
	return b, err
}
