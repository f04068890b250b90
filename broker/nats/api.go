package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// An apiError is what JetStream answers when it refuses.
type apiError struct {
	Status      int    `json:"code"`
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s (JetStream error %d)", e.Description, e.Code)
}

// Codes of JetStream's errors.
const (
	codeNoPeers           = 10005 // no suitable peers for placement
	codeNoQuorum          = 10008 // temporarily unavailable
	codeNoStorageMemory   = 10028
	codeNoMessage         = 10037
	codeAccountDisabled   = 10039
	codeStreamName        = 10058 // in use with another configuration
	codeStreamMissing     = 10059
	codeOtherStream       = 10060 // the stream is not the expected one
	codeMessageTooLarge   = 10054
	codeLastSequence      = 10071 // the subject's last sequence is not the expected one
	codeNotClustered      = 10074 // replicas without a cluster
	codeDisabled          = 10076
	codeKeyInFlight       = 10158
	codeAccountResources  = 10002
	codeServerResources   = 10023
	codeStorageResources  = 10047
	codeStoreFailed       = 10077
	codeClusterIncomplete = 10004
	codeNotLeader         = 10009
)

// answered is the part of every answer of the API that says whether it is one.
type answered struct {
	Error *apiError `json:"error"`
}

// ask puts a question to JetStream's API and reads the answer into reply.
func (b *Broker) askAPI(ctx context.Context, endpoint string, question, reply any) error {
	var body []byte
	if question != nil {
		var err error
		if body, err = json.Marshal(question); err != nil {
			return err
		}
	}
	m, err := b.request(ctx, &natsgo.Msg{Subject: "$JS.API." + endpoint, Data: body})
	if err != nil {
		return err
	}
	var a answered
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("nats: %s answers what is not JSON: %w", endpoint, err)
	}
	if a.Error != nil {
		return a.Error
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(m.Data, reply)
}

// request asks and waits, no longer than the options' timeout, and not beyond the
// end of the connection. The error wraps broker.ErrUnavailable if nobody can have
// heard the question, and errUnanswered if somebody may have.
func (b *Broker) request(ctx context.Context, m *natsgo.Msg) (*natsgo.Msg, error) {
	bound, cancel := b.link.bound(ctx, b.options.Timeout)
	defer cancel()
	if bound.Err() != nil && ctx.Err() == nil {
		return nil, unavailable("no connection to a server") // nothing was sent
	}
	answer, err := b.link.conn.RequestMsgWithContext(bound, m)
	if err == nil {
		return answer, nil
	}
	switch {
	case errors.Is(err, natsgo.ErrNoResponders):
		return nil, unavailable("nobody serves %s", m.Subject)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bound.Err() != nil:
		return nil, fmt.Errorf("%w: %w", errUnanswered, context.Cause(bound))
	}
	return nil, unsent(err)
}

// unsent says why nats.go did not take a message.
func unsent(err error) error {
	switch {
	case errors.Is(err, natsgo.ErrReconnectBufExceeded), errors.Is(err, natsgo.ErrConnectionReconnecting),
		errors.Is(err, natsgo.ErrConnectionClosed), errors.Is(err, natsgo.ErrDisconnected):
		return unavailable("no connection to a server")
	case errors.Is(err, natsgo.ErrMaxPayload):
		return fmt.Errorf("%w: with its headers it is longer than the server's max_payload", broker.ErrTooLarge)
	}
	return fmt.Errorf("%w: %w", errUnanswered, err)
}

// errUnanswered: a question went out and no answer came.
var errUnanswered = errors.New("nats: the server did not answer")

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: nats: %s", broker.ErrUnavailable, fmt.Sprintf(format, args...))
}

// passing reports whether asking again later may help.
func passing(err error) bool {
	if e, ok := errors.AsType[*apiError](err); ok {
		switch e.Code {
		case codeNoPeers, codeNoQuorum, codeClusterIncomplete, codeNotLeader:
			return true
		}
		return e.Status == 503
	}
	return errors.Is(err, broker.ErrUnavailable) || errors.Is(err, errUnanswered)
}

// unserved turns an error of a call that changes nothing into one that the
// contract knows.
func unserved(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, broker.ErrUnavailable), errors.Is(err, broker.ErrClosed):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", broker.ErrUnavailable, err)
}

func isCode(err error, code int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Code == code
}

// streamInfo is what STREAM.INFO says, as far as it matters here.
type streamInfo struct {
	Created time.Time  `json:"created"`
	Config  streamSeen `json:"config"`
	State   struct {
		Messages      uint64            `json:"messages"`
		FirstSequence uint64            `json:"first_seq"`
		FirstTime     time.Time         `json:"first_ts"`
		LastSequence  uint64            `json:"last_seq"`
		Subjects      map[string]uint64 `json:"subjects"`
	} `json:"state"`
	At time.Time `json:"ts"`
}

func (b *Broker) streamInfo(ctx context.Context, stream, subject string) (streamInfo, error) {
	var info streamInfo
	var question any
	if subject != "" {
		question = map[string]string{"subjects_filter": subject}
	}
	err := b.askAPI(ctx, "STREAM.INFO."+stream, question, &info)
	return info, err
}
