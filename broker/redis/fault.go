package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// advice says what a server's refusal means and what to do, by its first word.
var advice = map[string]string{
	"OOM":         "the server's memory is full (maxmemory); give it more, or shorten the histories",
	"READONLY":    "the server is a read-only replica; name the master, or use Sentinel or a Cluster",
	"NOAUTH":      "the server asks for a password",
	"WRONGPASS":   "the server refuses the user name or the password",
	"NOPERM":      "the server's access list forbids the user what the broker needs",
	"LOADING":     "the server is reading its data set",
	"BUSY":        "the server is busy with a script of somebody else",
	"MASTERDOWN":  "the server is a replica without its master",
	"CLUSTERDOWN": "the cluster does not serve all of its slots",
	"TRYAGAIN":    "the room is moving to another server of the cluster",
	"NOREPLICAS":  "the server has fewer replicas than min-replicas-to-write asks for",
	"MISCONF":     "the server cannot write its data set to disk and refuses writes (stop-writes-on-bgsave-error)",
}

// What a server says that is no Cluster's, a Sentinel of a master that it does not
// know, and a Cluster's of another database than the first.
const (
	noCluster = "cluster support disabled"
	noMaster  = "No such master"
	noChoice  = "SELECT is not allowed"
)

// refusal returns the first word of the error by which a server refused a
// command, and whether err is one.
func refusal(err error) (word string, ok bool) {
	refused, ok := rueidis.IsRedisErr(err)
	if !ok {
		return "", false
	}
	word, _, _ = strings.Cut(refused.Error(), " ")
	return word, true
}

// nothingDone reports whether err proves that a command was not carried out: the
// server refused it, or it was never sent. Scripts are refused as a whole.
func nothingDone(err error) bool {
	if _, ok := refusal(err); ok || errors.Is(err, rueidis.ErrNoSlot) || errors.Is(err, rueidis.ErrNoAddr) {
		return true
	}
	network, ok := errors.AsType[*net.OpError](err)
	return ok && network.Op == "dial"
}

// explain makes an error for people of what a client or server said.
func explain(err error) error {
	word, ok := refusal(err)
	switch {
	case ok && advice[word] != "":
		return fmt.Errorf("%s (%w)", advice[word], err)
	case ok && strings.Contains(err.Error(), noCluster):
		return fmt.Errorf("there are several addresses, and the servers are not a Cluster (%w)", err)
	case ok && strings.Contains(err.Error(), noMaster):
		return fmt.Errorf("the Sentinels watch no master of this name (%w)", err)
	case ok && strings.Contains(err.Error(), noChoice):
		return fmt.Errorf("a Cluster has no databases (%w)", err)
	}
	return err
}

// unavailable makes the error of a call that reads, or whose repetition does no
// harm: whatever happened, it may be made again.
func (b *Broker) unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.suspect(err)
	return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, explain(err))
}

// unknown makes the error of a call that changes something once.
func (b *Broker) unknown(ctx context.Context, err error) error {
	if nothingDone(err) {
		b.suspect(err)
		return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, explain(err))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.suspect(err)
	return fmt.Errorf("%w: redis: %w", broker.ErrUnknownOutcome, err)
}

// suspect makes the watch look at once when an error speaks of more than one
// command.
func (b *Broker) suspect(err error) {
	if word, ok := refusal(err); ok && word != "READONLY" && word != "MASTERDOWN" && word != "CLUSTERDOWN" {
		return
	}
	nudge(b.doubt)
}
