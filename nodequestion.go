package finch

import (
	"context"
	"errors"
	"time"

	"github.com/finch-go/finch/broker"
)

// questions that nodes ask each other, by their first byte.
const (
	askSession = 1 // give me the session of this id, which has come to me
	askMembers = 2 // who is with you in this room, behind this name
)

// askTimeout bounds a question to another node: its answer only makes things
// better.
const askTimeout = 2 * time.Second

var errQuestion = errors.New("not a question of this version of Finch")

// takeFrom takes a session from the node that had it last: what it was granted,
// whether it was held; known tells whether the node could say.
func (n *node) takeFrom(ctx context.Context, from, session string) (granted []string, held, known bool) {
	if !n.caps.Cluster || n.ready(ctx) != nil {
		return nil, false, false
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := n.broker.Ask(ctx, from, append([]byte{askSession}, session...))
	if err != nil || len(answer) == 0 || answer[0] == 0 {
		return nil, false, false
	}
	for rest := answer[1:]; len(rest) > 0; {
		room, after, ok := cutText(rest)
		if !ok {
			return nil, false, false
		}
		granted, rest = append(granted, room), after
	}
	return granted, true, true
}

// Answer answers another node.
func (v *nodeSink) Answer(ctx context.Context, from string, question []byte) ([]byte, error) {
	switch {
	case len(question) > 0 && question[0] == askMembers:
		return v.manager.presence.party(question[1:])
	case len(question) == 0 || question[0] != askSession:
		return nil, errQuestion
	}
	ses := v.manager.sessions.get(string(question[1:]))
	if ses == nil {
		return []byte{0}, nil
	}
	granted, ok := ses.surrender()
	if !ok {
		return []byte{0}, nil
	}
	answer := []byte{1}
	for _, room := range granted {
		answer = appendText(answer, room)
	}
	return answer, nil
}

// NodeUp and NodeDown bring news of other nodes.
func (v *nodeSink) NodeUp(n broker.NodeState) {
	v.manager.logger.Debug("finch: a node is up", "node", n.ID)
}

func (v *nodeSink) NodeDown(n broker.NodeState) {
	v.manager.logger.Debug("finch: a node is down", "node", n.ID)
	if broker.State(v.state.Load()) == broker.Connected { // else it is perhaps this one that is cut off
		go v.manager.presence.nodeDown(n.ID)
	}
}
