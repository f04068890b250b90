package nats

import (
	"fmt"
	"log/slog"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// Options are for New. The zero value is fine for a server on this machine.
type Options struct {
	// URL names the servers, several with commas between them; user and password
	// may stand in it. Empty is nats://127.0.0.1:4222. One server that answers is
	// enough: it names the others.
	URL string
	// Namespace begins the names of all streams and subjects, so that several
	// applications can share the servers: 1 to 32 letters, digits and -. Empty is
	// finch. Nodes find each other by it.
	Namespace string
	// Partitions is over how many streams the rooms of a history profile are
	// spread, 1 to 64; zero is 8. More of them carry more publishes a second and
	// more rooms (a stream should have less than a million). It is fixed when the
	// namespace is first used; Start refuses another number afterwards.
	Partitions int
	// Replicas is on how many servers of a cluster each stream is kept: 1, 3 or 5.
	// Zero leaves streams that exist as they are, and makes new ones with 3 in a
	// cluster and 1 elsewhere.
	Replicas int
	// ForgetAfter is how long the last message of a room stays on disk, seen or
	// not, so that the room's head is known; longer ages of profiles extend it.
	// Afterwards whoever returns to the room is told to start anew. Zero is 24
	// hours. It is at least twice DedupeWindow; Start refuses less.
	ForgetAfter time.Duration
	// DedupeWindow is how long a publish key is remembered. Zero is 5 minutes: a
	// client that retries for one minute comes well before it ends. The servers
	// hold about 150 bytes in memory for each key.
	DedupeWindow time.Duration
	// MaxBytes bounds each history stream on disk; past it its oldest messages go,
	// whatever their profile says. Zero is no bound but that of the servers.
	MaxBytes int64
	// MaxPayload is the longest data of a message in bytes. Zero is 1 MiB. What the
	// server takes, less 4 KiB for headers, bounds it once Start has returned.
	MaxPayload int
	// Lease is how long a node that was cut off or killed counts as alive, in whole
	// seconds, at least 2 s. Zero is 10 s. It is renewed three times as often.
	Lease time.Duration
	// Timeout ends a single question to the servers that nobody answers. Zero is
	// 5 s. A context may end it earlier.
	Timeout time.Duration
	// Connect is handed to nats.go: credentials, certificates, names. What Finch
	// needs otherwise for its promise (endless reconnecting, no buffer of
	// publishes while disconnected, hearing itself) it sets afterwards.
	Connect []natsgo.Option
	// Now is this node's clock; nil is time.Now. It may be wrong by any amount:
	// only its difference from the servers' counts.
	Now func() time.Time
	// Logger is told what an operator should know. Nil is slog.Default().
	Logger *slog.Logger
}

// A filled copy of o, or what is wrong with it.
func (o Options) filled() (Options, error) {
	if o.URL == "" {
		o.URL = natsgo.DefaultURL
	}
	if o.Namespace == "" {
		o.Namespace = "finch"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	setDefault(&o.Partitions, 8)
	setDefault(&o.ForgetAfter, 24*time.Hour)
	setDefault(&o.DedupeWindow, 5*time.Minute)
	setDefault(&o.MaxPayload, 1<<20)
	setDefault(&o.Lease, 10*time.Second)
	setDefault(&o.Timeout, 5*time.Second)
	switch {
	case !validNamespace(o.Namespace):
		return o, fmt.Errorf("nats: Options.Namespace %q is not 1 to 32 letters, digits and -", o.Namespace)
	case o.Partitions < 1 || o.Partitions > 64:
		return o, fmt.Errorf("nats: Options.Partitions is %d, not 1 to 64", o.Partitions)
	case o.Replicas < 0 || o.Replicas > 5 || o.Replicas != 0 && o.Replicas%2 == 0:
		return o, fmt.Errorf("nats: Options.Replicas is %d, not 1, 3 or 5", o.Replicas)
	case o.DedupeWindow < time.Second:
		return o, fmt.Errorf("nats: Options.DedupeWindow is %v, less than a second", o.DedupeWindow)
	case o.ForgetAfter < 2*o.DedupeWindow:
		return o, fmt.Errorf("nats: Options.ForgetAfter is %v, less than twice the DedupeWindow of %v", o.ForgetAfter, o.DedupeWindow)
	case o.MaxBytes < 0 || o.MaxPayload < 0 || o.Timeout < 0:
		return o, fmt.Errorf("nats: Options.MaxBytes, MaxPayload and Timeout must not be negative")
	case o.Lease < 2*time.Second || o.Lease%time.Second != 0:
		return o, fmt.Errorf("nats: Options.Lease is %v, not whole seconds of at least 2", o.Lease)
	}
	return o, nil
}

func setDefault[T int | time.Duration](v *T, unset T) {
	if *v == 0 {
		*v = unset
	}
}

func validNamespace(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 32
}
