package finch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/finch-go/finch/broker"
)

// questions that nodes ask each other, by their first byte.
const (
	askSession = 1 // give me the session of this id, which has come to me
	askMembers = 2 // who is with you in this room, behind this name
	askNews    = 3 // how far do your news of these rooms' members go
	askSecret  = 4 // which secret seals your tickets, by its mark
)

// askTimeout bounds a question to another node: its answer only makes things
// better.
const askTimeout = 2 * time.Second

var errQuestion = errors.New("not a question of this version of Finch")

// sessionAnswer is what a node answers to askSession.
type sessionAnswer byte

const (
	sessionUnknown sessionAnswer = iota // it has none, or cannot say
	sessionGiven                        // rooms follow that the server joined it to
	sessionKept                         // a later connection of the client has it
)

// takeFrom takes a session from the node that had it last, and with it the rooms
// that the server had joined it to.
func (n *node) takeFrom(ctx context.Context, c claim) (granted []string, answered sessionAnswer) {
	if !n.caps.Cluster || n.ready(ctx) != nil {
		return nil, sessionUnknown
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := n.broker.Ask(ctx, c.node, c.question())
	if err != nil || len(answer) == 0 {
		return nil, sessionUnknown
	}
	for rest := answer[1:]; len(rest) > 0; {
		room, after, ok := cutText(rest)
		if !ok {
			return nil, sessionUnknown
		}
		granted, rest = append(granted, room), after
	}
	return granted, sessionAnswer(answer[0])
}

// Answer answers another node.
func (v *nodeSink) Answer(ctx context.Context, from string, question []byte) ([]byte, error) {
	switch {
	case len(question) > 0 && question[0] == askMembers:
		return v.manager.presence.party(question[1:])
	case len(question) > 0 && question[0] == askNews:
		return v.manager.presence.news(question[1:])
	case len(question) > 0 && question[0] == askSecret:
		return v.manager.sealer.mark, nil
	case len(question) > 0 && question[0] == askSession:
		return v.surrender(question[1:])
	}
	return nil, errQuestion
}

// question is the claim as another node is asked.
func (c claim) question() []byte {
	b := []byte{askSession}
	for _, t := range []turn{c.turn, c.written} {
		b = binary.AppendUvarint(binary.AppendUvarint(b, t.round), t.attempt)
	}
	return append(b, c.session...)
}

// surrender gives a session away to the node that asks for it.
func (v *nodeSink) surrender(question []byte) ([]byte, error) {
	c := claim{node: v.id}
	for _, number := range []*uint64{&c.turn.round, &c.turn.attempt, &c.written.round, &c.written.attempt} {
		n := 0
		if *number, n = binary.Uvarint(question); n <= 0 {
			return nil, errQuestion
		}
		question = question[n:]
	}
	c.session = string(question)
	ses := v.manager.sessions.get(c.session)
	if ses == nil {
		return []byte{byte(sessionUnknown)}, nil
	}
	granted, how := ses.surrender(c)
	answer := []byte{byte(how)}
	for _, room := range granted {
		answer = appendText(answer, room)
	}
	return answer, nil
}

// NodeUp and NodeDown bring news of other nodes.
func (v *nodeSink) NodeUp(n broker.NodeState) {
	v.manager.logger.Debug("finch: a node is up", "node", n.ID)
	go v.manager.presence.look(n.ID)
	if v.caps.Cluster {
		go (*node)(v).compareSecrets(n.ID)
	}
}

// compareSecrets warns of another node whose tickets this one cannot open. Whoever
// does not know the question is of an older version, and says nothing.
func (n *node) compareSecrets(other string) {
	for range 3 {
		if n.ready(n.life) == nil {
			ctx, cancel := context.WithTimeout(n.life, askTimeout)
			mark, err := n.broker.Ask(ctx, other, []byte{askSecret})
			cancel()
			var refusal *broker.Refusal
			switch {
			case err == nil && !bytes.Equal(mark, n.manager.sealer.mark):
				n.manager.logger.Warn("finch: another node has another Secret, so that clients which move between the two begin new sessions; give all nodes the same SocketManagerOptions.Secret", "node", n.id, "other", other)
				return
			case err == nil, errors.As(err, &refusal), errors.Is(err, broker.ErrUnknownNode):
				return
			}
		}
		select {
		case <-time.After(askTimeout):
		case <-n.life.Done():
			return
		}
	}
}

func (v *nodeSink) NodeDown(n broker.NodeState) {
	v.manager.logger.Debug("finch: a node is down", "node", n.ID)
	go v.manager.presence.look(n.ID)
}
