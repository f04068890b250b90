package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finch-go/finch/protocol"
)

// maxChanges is how many changes of presence wait for a loop. Beyond it the list
// is asked for anew.
const maxChanges = 256

// A Member is somebody in a room.
type Member struct {
	// ID is the user's, or the socket's of an anonymous client.
	ID string
	// Devices is how many connections of that user are in the room.
	Devices int
	// Since is when the first of them came.
	Since time.Time
	// Data is what the member told of itself; nil if nothing.
	Data json.RawMessage
}

// Presence is who is in a room.
type Presence struct {
	// Members are those that are known, by ID. The slice is the caller's.
	Members []Member
	// Count is how many members the room has. It is more than there are Members
	// when there were too many changes to list, for a moment.
	Count int
}

// memberData is a member on the wire.
type memberData struct {
	ID      string          `json:"id"`
	Devices int             `json:"devices"`
	Since   int64           `json:"since"` // Unix milliseconds
	Data    json.RawMessage `json:"data"`
}

// presenceData is the answer to finch.presence, and a change.
type presenceData struct {
	Members []memberData `json:"members"`
	Joined  []memberData `json:"joined"`
	Updated []memberData `json:"updated"`
	Left    []string     `json:"left"`
	Count   int          `json:"count"`
	Partial bool         `json:"partial"`
	Next    string       `json:"next"`
}

// presenceAsk is the question.
type presenceAsk struct {
	Room  string          `json:"room"`
	Watch *bool           `json:"watch,omitempty"`
	After string          `json:"after,omitempty"`
	Limit int             `json:"limit,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
}

// A watch is one loop of WatchPresence. Its fields but known are guarded by the
// client's mu.
type watch struct {
	stale   bool // the list must be asked for
	changes []presenceData

	known map[string]Member
	count int
}

// Presence asks who is in the room, which the client must be in. Errors are
// those of [Request].
func (r Room) Presence(ctx context.Context) (Presence, error) {
	w := &watch{known: make(map[string]Member)}
	if err := r.fetch(ctx, w, nil); err != nil {
		return Presence{}, err
	}
	return w.presence(), nil
}

// SetPresence tells the others in the room something of this client: any JSON,
// up to one kilobyte.
func (r Room) SetPresence(ctx context.Context, data any) error {
	raw, err := protocol.Marshal(data)
	if err != nil {
		return fmt.Errorf("client: the data of the presence cannot be JSON: %w", err)
	}
	if err := r.settleIn(ctx); err != nil {
		return err
	}
	_, err = r.client.ask(ctx, protocol.PathPresence, presenceAsk{Room: r.name, Limit: 1, Data: raw})
	return err
}

// WatchPresence returns who is in the room, and again after each change. It asks
// anew when the connection was lost. A loop that is slower than the changes
// misses some of the states between, never the last.
//
// It ends with the error of ctx, a [*ClosedError], or that of the server, as when
// the room has no presence or the client is not in it.
func (r Room) WatchPresence(ctx context.Context) iter.Seq2[Presence, error] {
	return func(yield func(Presence, error) bool) {
		c := r.client
		w := &watch{stale: true}
		c.mu.Lock()
		record := c.record(r.name)
		record.watches = append(record.watches, w)
		c.mu.Unlock()
		defer r.endWatch(record, w)
		for {
			if err := r.refresh(ctx, w); err != nil {
				yield(Presence{}, err)
				return
			}
			if !yield(w.presence(), nil) {
				return
			}
		}
	}
}

// endWatch tells the server, if it was the last loop that watches.
func (r Room) endWatch(record *room, w *watch) {
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	record.removeWatch(w)
	if len(record.watches) == 0 && c.open && record.member {
		no := false
		if o, err := newOutgoing(protocol.PathPresence, presenceAsk{Room: r.name, Watch: &no, Limit: 1}); err == nil {
			c.put(&call{outgoing: o, asks: true})
		}
	}
	record.tidy()
}

// refresh waits until what w knows has changed.
func (r Room) refresh(ctx context.Context, w *watch) error {
	for {
		stale := false
		var changes []presenceData
		err := r.client.wait(ctx, func() (bool, error) {
			if r.client.closed != nil {
				return true, r.client.closed
			}
			stale, changes = w.stale, w.changes
			w.changes = nil
			return stale || len(changes) > 0, nil
		})
		if err != nil {
			return err
		}
		if !stale {
			for _, change := range changes {
				w.apply(change)
			}
			return nil
		}
		w.known = make(map[string]Member)
		watching := true
		err = r.fetch(ctx, w, &watching)
		if errors.Is(err, ErrConnectionLost) {
			continue // the room was told that it is stale
		}
		return err
	}
}

// fetch asks for all pages of the list. watching, if not nil, begins a watch.
func (r Room) fetch(ctx context.Context, w *watch, watching *bool) error {
	if err := r.settleIn(ctx); err != nil {
		return err
	}
	c := r.client
	c.mu.Lock()
	w.stale, w.changes = false, nil // what comes from here on is applied behind the list: it says how things stand, twice is no harm
	c.mu.Unlock()
	for after := ""; ; {
		m, err := c.ask(ctx, protocol.PathPresence, presenceAsk{Room: r.name, Watch: watching, After: after})
		if err != nil {
			return err
		}
		var page presenceData
		if err := json.Unmarshal(m.Data, &page); err != nil {
			return fmt.Errorf("client: the answer to finch.presence makes no sense: %w", err)
		}
		for _, d := range page.Members {
			w.known[d.ID] = d.member()
		}
		w.count = page.Count
		if page.Next == "" || page.Next == after {
			return nil
		}
		after = page.Next
	}
}

func (d *memberData) member() Member {
	m := Member{ID: d.ID, Devices: d.Devices, Data: d.Data}
	if d.Since > 0 {
		m.Since = time.UnixMilli(d.Since)
	}
	return m
}

// apply takes one change.
func (w *watch) apply(change presenceData) {
	for _, list := range [][]memberData{change.Joined, change.Updated} {
		for _, d := range list {
			w.known[d.ID] = d.member()
		}
	}
	for _, id := range change.Left {
		delete(w.known, id)
	}
	w.count = change.Count
}

func (w *watch) presence() Presence {
	members := slices.SortedFunc(maps.Values(w.known), func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return Presence{Members: members, Count: w.count}
}

// presenceChanged takes finch.presence. It is called with mu held.
func (c *Client) presenceChanged(m *incoming) {
	r := c.rooms[m.Room]
	if r == nil || len(r.watches) == 0 {
		return
	}
	var change presenceData
	if err := json.Unmarshal(m.Data, &change); err != nil {
		c.options.Logger.Debug("finch client: passed over a change of presence", "room", m.Room, "error", err)
		return
	}
	for _, w := range r.watches {
		if change.Partial || len(w.changes) == maxChanges {
			w.stale, w.changes = true, nil
			continue
		}
		w.changes = append(w.changes, change)
	}
	c.changed()
}
