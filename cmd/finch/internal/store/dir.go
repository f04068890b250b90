package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	natsgo "github.com/nats-io/nats.go"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
)

func openDir(o Options) (*Store, error) {
	secret, err := dirSecret(o.Dir)
	if err != nil {
		return nil, err
	}
	// One server for all parts: that of the chat's broker, which is started first
	// and closed last.
	chat := embedded.New(embedded.Options{Dir: filepath.Join(o.Dir, "history"), NATS: natsOptions(o, "chat", ""), Logger: o.Logger})
	return &Store{Where: o.Dir, Secret: secret, open: func(part string) broker.Broker {
		if part == "chat" {
			return chat
		}
		options := natsOptions(o, part, "")
		options.Replicas = 1
		options.Connect = []natsgo.Option{natsgo.InProcessServer(chat)}
		return alone{nats.New(options)}
	}}, nil
}

// alone is a broker of the server inside: no other process has nodes there.
type alone struct{ *nats.Broker }

// Caps is documented at broker.Broker.
func (a alone) Caps() broker.Caps {
	caps := a.Broker.Caps()
	caps.Cluster = false
	return caps
}

// dirSecret reads the secret that a directory keeps; the first demo there makes it.
func dirSecret(dir string) ([]byte, error) {
	name := filepath.Join(dir, "secret")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unwritable(dir, err)
	}
	made, err := os.CreateTemp(dir, "secret-*") // with mode 0600
	if err != nil {
		return nil, unwritable(dir, err)
	}
	defer os.Remove(made.Name())
	_, err = made.WriteString(newSecret() + "\n")
	if err := errors.Join(err, made.Sync(), made.Close()); err != nil {
		return nil, unwritable(dir, err)
	}
	// It is there as a whole or not at all, whoever else is making one.
	if err := os.Link(made.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, unwritable(dir, err)
	}
	kept, err := os.ReadFile(name)
	if err != nil {
		return nil, unwritable(dir, err)
	}
	secret, err := parseSecret(strings.TrimSpace(string(kept)))
	if err != nil {
		return nil, fmt.Errorf("%s is not the secret of a demo; remove it, or choose another directory with --data", name)
	}
	return secret, nil
}

func unwritable(dir string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("--data %s cannot be written to (%w); choose a directory of your own, for example --data demo-data", dir, err)
}

// Explain makes a sentence of what kept a broker from starting.
func (s *Store) Explain(err error) error {
	said := err.Error()
	if s.Name == "" && strings.Contains(said, "cannot be used") {
		return fmt.Errorf("another process uses %s; stop it, or choose another directory with --data", s.Where)
	}
	said = strings.TrimPrefix(said, "finch: the broker does not start: ")
	said = strings.TrimPrefix(said, broker.ErrUnavailable.Error()+": ")
	if s.Name == "" {
		return fmt.Errorf("what %s has cannot be used: %s", s.Where, said)
	}
	return fmt.Errorf("the server at %s cannot be used: %s", s.Where, said)
}
