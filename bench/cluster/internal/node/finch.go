package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/redis"
)

// finchSide is an app on Finch.
type finchSide struct{ *finch.SocketManager }

func newFinch(o Options) (side, error) {
	var b broker.Broker
	switch o.Broker {
	case "redis":
		b = redis.New(redis.Options{Addresses: []string{o.URL}})
	case "nats":
		b = nats.New(nats.Options{URL: o.URL})
	case "embedded":
		b = embedded.New(embedded.Options{Dir: o.Dir})
	default:
		return nil, fmt.Errorf("there is no broker %q for finch", o.Broker)
	}
	secret := sha256.Sum256([]byte("every node of a run has this one"))
	m := finch.NewSocketManager(&finch.SocketManagerOptions{
		Broker: b, Secret: secret[:], NodeID: o.ID,
		Limits: finch.Limits{RoomsPerSocket: MaxRooms},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	m.DeclareRooms("bench:{n}", finch.RoomOptions{HistorySize: HistorySize, HistoryAge: HistoryAge, CanJoin: finch.Anybody})
	return finchSide{m}, nil
}

func (s finchSide) publish(ctx context.Context, room string, data []byte, key string) error {
	var with []finch.SendOption
	if key != "" {
		with = append(with, finch.WithKey(key))
	}
	_, err := s.Room(room).Publish(ctx, "line", json.RawMessage(data), with...)
	return err
}
