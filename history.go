package finch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// Recorded is a message of a room's history. Its bytes are shared and must not
// be changed.
type Recorded struct {
	Path     string
	Data     json.RawMessage // nil if it is binary
	Binary   []byte          // nil if it is JSON
	Position Position
	From     string    // who published it; empty: the server
	Key      string    // that it was published with
	At       time.Time // by the broker's clock
}

// Decode decodes the data into v, as [Message.Decode] does.
func (r *Recorded) Decode(v any) error {
	return (&Message{Path: r.Path, Data: r.Data, Binary: r.Binary}).Decode(v)
}

// historyPage is how many messages are read at once.
const historyPage = 500

// History returns the recorded messages of the room behind a position, oldest
// first, up to those that are recorded while it runs; the zero Position begins
// with the oldest that is kept. It reads page by page and blocks for each. An
// error ends it: ErrReset if the position is not of this history or too old,
// ErrUnavailable if the broker cannot be reached.
func (r Room) History(ctx context.Context, after Position) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		for {
			list, more, err := r.after(ctx, after, historyPage)
			if err != nil {
				yield(Recorded{}, err)
				return
			}
			for _, rec := range list {
				if !yield(rec, nil) {
					return
				}
				after = rec.Position
			}
			if !more || len(list) == 0 {
				return
			}
		}
	}
}

// Latest returns the newest n recorded messages of the room, oldest first, or
// with a position the newest n before it: for a page that scrolls back. more
// tells that there are older ones. Errors are those of History.
func (r Room) Latest(ctx context.Context, before Position, n int) (list []Recorded, more bool, err error) {
	if n <= 0 {
		return nil, false, nil
	}
	page, err := r.read(ctx, broker.Range{Before: before.Offset, Limit: n, Newest: true})
	if err != nil {
		return nil, false, err
	}
	switch {
	case before.IsZero():
	case before.Epoch != page.Head.Epoch:
		return nil, false, fmt.Errorf("%w: it is of another epoch", ErrReset)
	case before.Offset == 0: // to a broker this is no bound
		return nil, false, nil
	}
	return r.recorded(page.Messages), page.More, nil
}

// after reads one page behind a position.
func (r Room) after(ctx context.Context, after Position, limit int) (list []Recorded, more bool, err error) {
	page, err := r.read(ctx, broker.Range{From: after, Limit: limit + 1}) // the anchor is read too
	if err != nil {
		return nil, false, err
	}
	messages := page.Messages
	if !after.IsZero() {
		if messages, err = page.Follow(after, 0); err != nil {
			return nil, false, fmt.Errorf("%w: %w", ErrReset, err)
		}
	}
	more = page.More
	if len(messages) > limit {
		messages, more = messages[:limit], true
	}
	return r.recorded(messages), more, nil
}

func (r Room) read(ctx context.Context, within broker.Range) (broker.Page, error) {
	if err := r.check(); err != nil {
		return broker.Page{}, err
	}
	n := r.manager.node
	if err := n.ready(ctx); err != nil {
		return broker.Page{}, err
	}
	return n.broker.Read(ctx, storeName(r.at), within)
}

// recorded reads what the broker keeps; what another version of Finch wrote and
// this one cannot read is left out.
func (r Room) recorded(messages []broker.Message) []Recorded {
	list := make([]Recorded, 0, len(messages))
	for i := range messages {
		m := &messages[i]
		rec, err := parseRecord(m.Data)
		if err != nil {
			r.manager.logger.Error("finch: a recorded message cannot be read", "address", m.Room, "position", m.Position, "error", err)
			continue
		}
		one := Recorded{Path: rec.path, Position: m.Position, Key: m.Key, At: m.At}
		one.From, _ = sender(m.From)
		if rec.binary {
			one.Binary = rec.data
		} else {
			one.Data = rec.data
		}
		list = append(list, one)
	}
	return list
}

// historyRequest is what a client says to read a room's messages.
type historyRequest struct {
	Room   string   `json:"room"`
	Before Position `json:"before"`
	After  Position `json:"after"`
	Limit  int      `json:"limit"`
}

type historyAnswer struct {
	Messages []historyMessage `json:"messages"`
	More     bool             `json:"more"`
	Position Position         `json:"position"` // of the room now
}

type historyMessage struct {
	Path      string          `json:"path"`
	Data      json.RawMessage `json:"data,omitempty"`
	Binary    []byte          `json:"binary,omitempty"`
	Position  Position        `json:"position"`
	From      string          `json:"from,omitempty"`
	Key       string          `json:"key,omitempty"`
	Timestamp int64           `json:"timestamp"`
}

// A client gets at most maxHistory messages at once, and defaultHistory if it
// does not say how many.
const (
	defaultHistory = 50
	maxHistory     = 500
)

// historyByClient handles finch.history.
func (s *Socket) historyByClient(ctx context.Context, msg *Message) error {
	var in historyRequest
	if err := decodePositions(msg, &in); err != nil {
		return err
	}
	d, err := s.memberOf(in.Room)
	switch {
	case err != nil:
		return err
	case d.HistorySize == 0:
		return Errorf(protocol.StatusUnprocessable, protocol.RefusalNoHistory, "this room keeps no history")
	case in.Limit < 0 || !in.Before.IsZero() && !in.After.IsZero():
		return Errorf(protocol.StatusBadRequest, protocol.RefusalBadData, "limit is at least 1, and before and after exclude each other")
	case in.Limit == 0:
		in.Limit = defaultHistory
	}
	in.Limit = min(in.Limit, maxHistory)
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	room := s.manager.Room(in.Room)
	var list []Recorded
	var answer historyAnswer
	if in.After.IsZero() {
		list, answer.More, err = room.Latest(ctx, in.Before, in.Limit)
	} else {
		list, answer.More, err = room.after(ctx, in.After, in.Limit)
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	answer.Position = s.manager.node.runner.Top(storeName(hub.Address{Kind: hub.Room, Name: in.Room}))
	answer.Messages = fitting(list, s.manager.gate.config.QueueBytes/2, in.After.IsZero(), &answer.More)
	return msg.Reply(answer)
}

// fitting makes the messages of an answer, as many as fit into so many bytes:
// the newest or the oldest, but one at least.
func fitting(list []Recorded, bytes int, newest bool, more *bool) []historyMessage {
	size, n := 0, 0
	for n < len(list) {
		next := &list[n]
		if newest {
			next = &list[len(list)-1-n]
		}
		size += len(next.Data) + 4*len(next.Binary)/3 + 256
		if size > bytes && n > 0 {
			*more = true
			break
		}
		n++
	}
	if newest {
		list = list[len(list)-n:]
	} else {
		list = list[:n]
	}
	out := make([]historyMessage, 0, n)
	for i := range list {
		r := &list[i]
		out = append(out, historyMessage{r.Path, r.Data, r.Binary, r.Position, r.From, r.Key, r.At.UnixMilli()})
	}
	return out
}
