package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	natsgo "github.com/nats-io/nats.go"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
)

const natsExample = "nats://localhost:4222"

func openNATS(ctx context.Context, o Options) (*Store, error) {
	where, err := readNATS(o.NATS)
	if err != nil {
		return nil, err
	}
	s := &Store{Name: "NATS", Where: where, open: func(part string) broker.Broker {
		return nats.New(natsOptions(o, part, o.NATS))
	}}
	err = persist(ctx, o, where, func(ctx context.Context) (err error) {
		s.Secret, err = natsSecret(o.NATS)
		return err
	})
	return s, explainNATS(where, err)
}

// natsOptions are those of a part's broker. Parts are namespaces; but for the chat
// they have few rooms and need one stream.
func natsOptions(o Options, part, url string) nats.Options {
	partitions := 1
	if part == "chat" {
		partitions = 2
	}
	return nats.Options{URL: url, Namespace: prefix + "-" + part, Partitions: partitions, Logger: o.Logger}
}

// readNATS checks addresses, and answers them as they may be shown.
func readNATS(list string) (shown string, err error) {
	var all []string
	for _, one := range strings.Split(list, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return "", fmt.Errorf("--nats got no address of NATS; give one like --nats %s", natsExample)
		}
		u.User = nil
		all = append(all, u.String())
	}
	return strings.Join(all, ","), nil
}

// natsSecret reads the secret that the nodes share; the first makes it.
func natsSecret(url string) ([]byte, error) {
	conn, err := natsgo.Connect(url, natsgo.Timeout(tryWithin), natsgo.MaxReconnects(0), natsgo.Name(prefix))
	if err != nil {
		if unreachable(err) || errors.Is(err, natsgo.ErrNoServers) || errors.Is(err, natsgo.ErrTimeout) {
			err = fmt.Errorf("%w: %w", errNobody, err)
		}
		return nil, err
	}
	defer conn.Close()
	js, err := conn.JetStream(natsgo.MaxWait(tryWithin))
	if err != nil {
		return nil, err
	}
	if _, err := js.AccountInfo(); err != nil {
		return nil, err
	}
	bucket, err := js.KeyValue(prefix)
	if errors.Is(err, natsgo.ErrBucketNotFound) {
		bucket, err = js.CreateKeyValue(&natsgo.KeyValueConfig{Bucket: prefix, Description: "what the nodes of finch demo share"})
	}
	if err != nil {
		return nil, err
	}
	if _, err := bucket.Create("secret", []byte(newSecret())); err != nil && !errors.Is(err, natsgo.ErrKeyExists) {
		return nil, err
	}
	kept, err := bucket.Get("secret")
	if err != nil {
		return nil, err
	}
	return parseSecret(string(kept.Value()))
}

// unreachable tells whether nobody was there.
func unreachable(err error) bool {
	network, ok := errors.AsType[*net.OpError](err)
	return ok && network.Op == "dial"
}

// explainNATS makes a sentence for people.
func explainNATS(where string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNobody):
		return fmt.Errorf("nobody answers at %s; start a server there (nats-server -js), or give another address with --nats", where)
	case errors.Is(err, natsgo.ErrAuthorization), errors.Is(err, natsgo.ErrAuthExpired), errors.Is(err, natsgo.ErrAuthRevoked):
		return fmt.Errorf("the server at %s refuses the user or the password; put them into the address: --nats nats://user:password@host", where)
	case errors.Is(err, natsgo.ErrJetStreamNotEnabled), errors.Is(err, natsgo.ErrJetStreamNotEnabledForAccount), errors.Is(err, natsgo.ErrNoResponders):
		return fmt.Errorf("the server at %s has JetStream switched off, which keeps what is said; start it with nats-server -js", where)
	}
	return fmt.Errorf("the server at %s cannot be used: %w", where, err)
}
