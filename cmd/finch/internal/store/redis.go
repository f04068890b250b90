package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/redis"
)

const (
	redisExample = "redis://localhost:6379"
	redisOldest  = 7 // what broker/redis needs
)

// errOld: the server's version is too old.
var errOld = errors.New("too old")

func openRedis(ctx context.Context, o Options) (*Store, error) {
	address := o.Redis
	if !strings.Contains(address, "://") {
		address = "redis://" + address
	}
	option, err := rueidis.ParseURL(address)
	u, err2 := url.Parse(address)
	if err != nil || err2 != nil || u.Host == "" && u.Path == "" {
		return nil, fmt.Errorf("--redis got no address of Redis; give one like --redis %s", redisExample) // the error itself may show a password
	}
	u.User = nil
	where := u.String()
	option.Dialer = net.Dialer{Timeout: tryWithin}
	option.ConnWriteTimeout = tryWithin
	option.DisableCache, option.DisableRetry = true, true
	s := &Store{Name: "Redis", Where: where, open: func(part string) broker.Broker {
		return redis.New(redis.Options{URL: address, Namespace: prefix + ":" + part, Partitions: 4, Logger: o.Logger})
	}}
	err = persist(ctx, o, where, func(ctx context.Context) (err error) {
		s.Secret, err = redisSecret(ctx, option)
		return err
	})
	return s, explainRedis(where, err)
}

// redisSecret reads the secret that the nodes share; the first makes it.
func redisSecret(ctx context.Context, option rueidis.ClientOption) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*tryWithin)
	defer cancel()
	client, err := rueidis.NewClient(option)
	if err != nil {
		if unreachable(err) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("%w: %w", errNobody, err)
		}
		return nil, err
	}
	defer client.Close()
	said, err := client.Do(ctx, client.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(said) {
		version, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:")
		major, _, _ := strings.Cut(version, ".")
		if n, err := strconv.Atoi(major); ok && (err != nil || n < redisOldest) {
			return nil, fmt.Errorf("%w: %s", errOld, version)
		}
	}
	key := prefix + ":secret"
	if err := client.Do(ctx, client.B().Set().Key(key).Value(newSecret()).Nx().Build()).Error(); err != nil && !rueidis.IsRedisNil(err) {
		return nil, err
	}
	kept, err := client.Do(ctx, client.B().Get().Key(key).Build()).ToString()
	if err != nil {
		return nil, err
	}
	return parseSecret(kept)
}

// explainRedis makes a sentence for people.
func explainRedis(where string, err error) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	switch {
	case errors.Is(err, errNobody):
		return fmt.Errorf("nobody answers at %s; start a server there (redis-server), or give another address with --redis", where)
	case strings.HasPrefix(said, "WRONGPASS"), strings.HasPrefix(said, "NOAUTH"), strings.Contains(said, "invalid password"), strings.Contains(said, "without any password configured"):
		return fmt.Errorf("the server at %s refuses the user or the password; put them into the address: --redis redis://user:password@host:6379", where)
	case errors.Is(err, errOld), strings.Contains(said, "unknown command"):
		return fmt.Errorf("the server at %s is too old; the demo needs Redis %d or Valkey", where, redisOldest)
	}
	return fmt.Errorf("the server at %s cannot be used: %w", where, err)
}
