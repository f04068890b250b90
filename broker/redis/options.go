package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/redis/rueidis"
)

// Options are for New. Zero is fine: a server on this machine.
type Options struct {
	// URL is where the server is: redis://user:password@host:port/database,
	// rediss:// with TLS, unix:///path/of.sock. More servers of a Cluster, or more
	// Sentinels, follow as ?addr=host:port&addr=host:port. valkey:// and valkeys://
	// mean the same. What stands in the fields below wins over what stands in it.
	// Empty: redis://127.0.0.1:6379, unless Addresses is set.
	URL string
	// Addresses are servers as host:port, instead of URL: one server; or some of a
	// Cluster, which names the others; or the Sentinels, if SentinelMaster is set. A
	// Cluster is known by itself, from one address too.
	Addresses []string
	// Username and Password are what the servers ask for. An empty Username is the
	// user "default".
	Username, Password string
	// TLS is how to speak TLS; nil is without, unless URL begins with rediss.
	TLS *tls.Config
	// Database is the number of the database, which a Cluster does not have.
	Database int
	// SentinelMaster is the name under which Sentinels watch the master; empty is
	// without Sentinel.
	SentinelMaster string
	// SentinelUsername and SentinelPassword are what the Sentinels ask for.
	SentinelUsername, SentinelPassword string

	// Namespace begins every key and channel, so that several systems can share a
	// server: 1 to 32 letters, digits, -, _, . and :. Empty is "finch".
	Namespace string
	// Partitions is over how many hash slots the rooms are spread, 1 to 1024. All
	// nodes have to say the same, which Start checks, and it cannot be changed while
	// the namespace has keys. Zero is 64, which is enough for a Cluster of ten
	// masters; each costs a node one channel and a probe every five seconds.
	Partitions int
	// MaxPayload is the longest data of a message in bytes. Zero is 1 MiB. A server
	// ends a subscriber that is 32 MiB behind, or 8 MiB for a minute
	// (client-output-buffer-limit pubsub): a few large messages are enough.
	MaxPayload int
	// DedupeWindow is how long a publish key is remembered, at about 240 bytes
	// each; how many there are is bounded by the server's memory alone. Zero is 5 minutes: a client that retries for one minute comes well
	// before it ends.
	DedupeWindow time.Duration
	// ForgetAfter is how long the head of a room is known, at about 190 bytes,
	// after its messages have expired and the last node has released it, or up to an
	// eighth longer. Afterwards it begins anew, with another epoch. Zero is 72
	// hours. A room whose profile has no age is never forgotten.
	ForgetAfter time.Duration
	// Timeout is how long the server may take to answer, and to take a connection,
	// before the connection is given up. Zero is 5 seconds.
	Timeout time.Duration
	// Logger gets what goes wrong. Nil: slog.Default().
	Logger *slog.Logger
}

// withDefaults fills what is not set, and says what is wrong.
func (o Options) withDefaults() (Options, error) {
	if o.Namespace == "" {
		o.Namespace = "finch"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Partitions = orDefault(o.Partitions, 64)
	o.MaxPayload = orDefault(o.MaxPayload, 1<<20)
	o.DedupeWindow = orDefault(o.DedupeWindow, 5*time.Minute)
	o.ForgetAfter = orDefault(o.ForgetAfter, 72*time.Hour)
	o.Timeout = orDefault(o.Timeout, 5*time.Second)
	switch {
	case !validNamespace(o.Namespace):
		return o, fmt.Errorf("redis: namespace %q is not 1 to 32 letters, digits, dots, colons, - and _", o.Namespace)
	case o.Partitions < 1 || o.Partitions > 1024:
		return o, fmt.Errorf("redis: %d partitions are not between 1 and 1024", o.Partitions)
	case o.MaxPayload < 1 || o.MaxPayload > 256<<20:
		return o, fmt.Errorf("redis: a MaxPayload of %d bytes is not between 1 and 256 MiB", o.MaxPayload)
	case o.DedupeWindow < time.Second || o.ForgetAfter < time.Second || o.Timeout < time.Millisecond:
		return o, errors.New("redis: DedupeWindow, ForgetAfter and Timeout must not be negative or next to nothing")
	case o.Database < 0:
		return o, fmt.Errorf("redis: database %d", o.Database)
	}
	return o, nil
}

func orDefault[T int | time.Duration](v, unset T) T {
	if v == 0 {
		return unset
	}
	return v
}

func validNamespace(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 32
}

// client makes the options of the client that speaks for the named node.
func (o *Options) client(node string) (rueidis.ClientOption, error) {
	var c rueidis.ClientOption
	address := o.URL
	if address == "" {
		address = "redis://127.0.0.1:6379"
	}
	c, err := rueidis.ParseURL(address)
	if err != nil {
		if wrong, ok := errors.AsType[*url.Error](err); ok {
			err = wrong.Err // the whole error would show the password
		}
		return c, fmt.Errorf("redis: the URL is not valid: %w", err)
	}
	if len(o.Addresses) > 0 {
		c.InitAddress = o.Addresses
	}
	if o.Username != "" || o.Password != "" {
		c.Username, c.Password = o.Username, o.Password
	}
	if o.TLS != nil {
		c.TLSConfig = o.TLS
	}
	if o.Database != 0 {
		c.SelectDB = o.Database
	}
	if o.SentinelMaster != "" {
		c.Sentinel.MasterSet = o.SentinelMaster
	}
	c.Sentinel.Username, c.Sentinel.Password = o.SentinelUsername, o.SentinelPassword
	c.Sentinel.TLSConfig = c.TLSConfig
	// A missed +switch-master is found by asking.
	c.Sentinel.TopologyRefreshInterval = 2 * time.Second
	c.ClusterOption = rueidis.ClusterOption{ShardsRefreshInterval: 5 * time.Second, MaxMovedRedirections: 8}
	c.Dialer = net.Dialer{Timeout: o.Timeout, KeepAlive: time.Second}
	c.Sentinel.Dialer = c.Dialer
	c.ConnWriteTimeout = o.Timeout
	c.ClientName = "finch-" + node
	c.Sentinel.ClientName = c.ClientName
	// Nothing is cached; and it is the caller who tries again, because only he
	// knows until when.
	c.DisableCache, c.DisableRetry = true, true
	// Without it a context's deadline would end the connection of all.
	c.AlwaysPipelining = true
	// While several commands wait for their answers, what comes next is gathered
	// for as long: one system call for many, where every command had its own. A
	// command that is alone is not held up.
	c.MaxFlushDelay = 20 * time.Microsecond
	return c, nil
}
