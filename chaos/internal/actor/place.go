package actor

import (
	"encoding/json"
	"time"

	"github.com/finch-go/finch/protocol"
)

// place is an actor's part in one room.
type place struct {
	room     string
	position string
	shown    string // what was shown on this connection
	waiting  bool   // hello or join has not been answered for this room yet
	in       bool   // it is in the room on this connection
	again    time.Time

	club     bool // the server puts it in, and it comes back with the session
	enrolled bool // the server has, in this session

	queue []*publish // in order; those that are not acknowledged

	watches bool
	members map[string]member // what a watch says; nil before its answer
	asked   map[string]member // what the last question was answered
	askedAt time.Duration
}

// member is one of those who are in a room.
type member struct {
	ID      string `json:"id"`
	Devices int    `json:"devices"`
}

// roll is an answer of finch.presence, or a change.
type roll struct {
	Members []member `json:"members"`
	Joined  []member `json:"joined"`
	Updated []member `json:"updated"`
	Left    []string `json:"left"`
	Count   int      `json:"count"`
	Partial bool     `json:"partial"`
}

// listed makes a list of members a table.
func (r roll) listed() map[string]member {
	m := map[string]member{}
	for _, one := range r.Members {
		m[one.ID] = one
	}
	return m
}

// apply brings a table up to date.
func (r roll) apply(to map[string]member) {
	for _, one := range append(r.Joined, r.Updated...) {
		to[one.ID] = one
	}
	for _, id := range r.Left {
		delete(to, id)
	}
}

// publish is one message on its way.
type publish struct {
	key    string
	data   json.RawMessage
	noEcho bool
	tries  int
	asked  bool // a try is under way on this connection
	until  time.Time
}

func (p *publish) body(room string) json.RawMessage {
	b, _ := protocol.Marshal(struct {
		Room string          `json:"room"`
		Path string          `json:"path"`
		Data json.RawMessage `json:"data"`
		Key  string          `json:"key"`
		Echo bool            `json:"echo"`
	}{room, "note", p.data, p.key, !p.noEcho})
	return b
}
