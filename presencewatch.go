package finch

import (
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
func (s *Socket) presenceByClient(msg *Message) error {
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
	if in.Data != nil {
		m.presence.show(seat{in.Room, s.name()}, in.Data)
	}
	if in.Watch != nil && !*in.Watch {
		m.hub.Exit(s.member, hub.Address{Kind: hub.Watch, Name: in.Room})
	}
	for {
		told := m.presence.told(in.Room)
		members, count, more := m.presence.page(in.Room, in.After, in.Limit)
		answer := presenceAnswer{Members: make([]shownMember, 0, len(members)), Count: count}
		for i := range members {
			answer.Members = append(answer.Members, members[i].shown())
		}
		if more && len(members) > 0 {
			answer.Next = members[len(members)-1].Name
		}
		if in.Watch == nil || !*in.Watch {
			return msg.Reply(answer)
		}
		if done, err := s.watch(in.Room, told, msg, answer); done {
			return err
		}
	}
}

// watch begins a watch and answers with it, unless the watchers of the room have
// been told something since told: the answer lacks it then. What they are told
// next comes after the answer.
func (s *Socket) watch(room string, told int, msg *Message, answer presenceAnswer) (done bool, err error) {
	p := &s.manager.presence
	r := p.lock(room, true)
	defer p.unlock(r)
	if r.told != told {
		return false, nil
	}
	if s.manager.hub.Enter(s.member, hub.Address{Kind: hub.Watch, Name: room}, hub.Close) != nil {
		return true, ErrClosed
	}
	return true, msg.Reply(answer)
}

func (m *Member) shown() shownMember {
	return shownMember{m.Name, m.Devices, m.Since.UnixMilli(), m.Data}
}

// tellWatchers sends what has changed in a roster to those who watch it. The
// roster is locked.
func (m *SocketManager) tellWatchers(r *roster) {
	watch := hub.Address{Kind: hub.Watch, Name: r.room}
	if m.hub.Count(watch) == 0 {
		return
	}
	change := presenceChange{Count: len(r.people)}
	if len(r.changes) > presenceMost {
		change.Partial = true
	} else {
		for name, told := range r.changes {
			switch who := r.people[name]; {
			case who == nil && told:
				change.Left = append(change.Left, name)
			case who != nil:
				one := who.member(name)
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
