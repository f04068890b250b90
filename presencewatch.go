package finch

import (
	"context"
	"encoding/json"

	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// presenceRequest is what a client says to learn who is in a room.
type presenceRequest struct {
	Room  string          `json:"room"`
	Watch *bool           `json:"watch"`
	After string          `json:"after"`
	Limit int             `json:"limit"`
	Data  json.RawMessage `json:"data"`
}

type presenceAnswer struct {
	Members []shownMember `json:"members"`
	Count   int           `json:"count"`
	Next    string        `json:"next,omitempty"`
}

// shownMember is a member as clients see one.
type shownMember struct {
	ID      string          `json:"id"`
	Devices int             `json:"devices"`
	Since   int64           `json:"since"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// presenceChange is what watchers are told.
type presenceChange struct {
	Joined  []shownMember `json:"joined,omitempty"`
	Updated []shownMember `json:"updated,omitempty"`
	Left    []string      `json:"left,omitempty"`
	Count   int           `json:"count"`
	Partial bool          `json:"partial,omitempty"`
}

// maxPresenceData bounds what a client may show of itself, in bytes: everybody
// in the room gets it.
const maxPresenceData = 1024

// presenceByClient handles finch.presence.
func (s *Socket) presenceByClient(ctx context.Context, msg *Message) error {
	var in presenceRequest
	if err := msg.Decode(&in); err != nil {
		return err
	}
	d, err := s.memberOf(in.Room)
	switch {
	case err != nil:
		return err
	case !d.Presence:
		return Errorf(protocol.StatusUnprocessable, protocol.RefusalNoPresence, "this room does not say who is in it")
	case len(in.Data) > maxPresenceData:
		return Errorf(protocol.StatusTooLarge, protocol.RefusalTooLarge, "a member may show %d bytes of itself", maxPresenceData)
	case in.Limit < 0:
		return Errorf(protocol.StatusBadRequest, protocol.RefusalBadData, "limit is at least 1")
	case in.Limit == 0 || in.Limit > memberPage:
		in.Limit = memberPage
	}
	m := s.manager
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if in.Data != nil {
		m.presence.show(in.Room, s.name(), in.Data)
	}
	watch := hub.Address{Kind: hub.Watch, Name: in.Room}
	switch {
	case in.Watch == nil && !m.hub.In(s.member, watch):
		members, count, more, err := m.presence.pageOf(ctx, in.Room, in.After, in.Limit)
		if err != nil {
			return err
		}
		return msg.Reply(answerOf(members, count, more))
	case in.Watch != nil && !*in.Watch:
		m.hub.Exit(s.member, watch)
		m.presence.unfollow(in.Room)
		return msg.Reply(presenceAnswer{Members: []shownMember{}, Count: m.presence.count(in.Room)})
	}
	return m.presence.watch(ctx, s, msg, &in)
}

// watch answers somebody who wants to be told of changes. Changes that come
// before the answer are in it, and the others behind it.
func (p *presence) watch(ctx context.Context, s *Socket, msg *Message, in *presenceRequest) error {
	watch := hub.Address{Kind: hub.Watch, Name: in.Room}
	watched := p.manager.hub.In(s.member, watch)
	if p.manager.hub.Enter(s.member, watch, hub.Close) != nil {
		return ErrClosed
	}
	if err := p.follow(ctx, in.Room); err != nil {
		if !watched {
			p.manager.hub.Exit(s.member, watch)
			p.unfollow(in.Room)
		}
		return err
	}
	r := p.lock(in.Room, true)
	defer p.unlock(r)
	members, count, more := p.pageForWatcher(r, in.After, in.Limit)
	return msg.Reply(answerOf(members, count, more))
}

// count answers how many names are in a room, as far as is known here.
func (p *presence) count(room string) int {
	r := p.lock(room, false)
	if r == nil {
		return 0
	}
	defer p.unlock(r)
	return len(r.names())
}

func answerOf(members []Member, count int, more bool) presenceAnswer {
	answer := presenceAnswer{Members: make([]shownMember, 0, len(members)), Count: count}
	for i := range members {
		answer.Members = append(answer.Members, members[i].shown())
	}
	if more && len(members) > 0 {
		answer.Next = members[len(members)-1].Name
	}
	return answer
}

func (m *Member) shown() shownMember {
	return shownMember{m.Name, m.Devices, m.Since.UnixMilli(), m.Data}
}

// tellWatchers sends what has changed in a roster to those who watch it. The
// roster is locked.
func (p *presence) tellWatchers(r *roster) {
	m := p.manager
	watch := hub.Address{Kind: hub.Watch, Name: r.room}
	if m.hub.Count(watch) == 0 {
		r.elsewhere = nil // nobody here wants to know any more
		return
	}
	change := presenceChange{Count: len(r.names())}
	if len(r.changes) > presenceMost {
		change.Partial = true
	} else {
		for name, told := range r.changes {
			switch who := r.merged(name); {
			case who == nil && told:
				change.Left = append(change.Left, name)
			case who != nil:
				one := who.member()
				if told {
					change.Updated = append(change.Updated, one.shown())
				} else {
					change.Joined = append(change.Joined, one.shown())
				}
			}
		}
		if change.Left == nil && change.Joined == nil && change.Updated == nil {
			return // somebody came and went
		}
	}
	b, err := encode(protocol.Envelope{Path: protocol.PathPresence, Status: protocol.StatusOK, Room: r.room}, change)
	if err != nil {
		m.logger.Error("finch: presence cannot be told", "room", r.room, "error", err)
		return
	}
	m.hub.Send(watch, m.gate.compression.message(b), nil)
}
