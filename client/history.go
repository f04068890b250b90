package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/finch-go/finch/protocol"
)

// HistoryOptions say which messages of a room to read. nil and the zero value
// mean the newest.
type HistoryOptions struct {
	// Before asks for the newest messages before this position, After for the
	// oldest after it. At most one of them is set.
	Before, After string
	// Limit is how many messages to read at most. Zero: as many as the server
	// gives who asks for no number.
	Limit int
}

// A Page is a part of a room's history.
type Page struct {
	// Messages are in order, the oldest first.
	Messages []*Message
	// More says that there are more, older or newer as one asked.
	More bool
	// Position is that of the newest message in the room.
	Position string
}

// historyMessage is a message as finch.history gives it.
type historyMessage struct {
	Path      string          `json:"path"`
	Data      json.RawMessage `json:"data"`
	Binary    *string         `json:"binary"`
	Position  string          `json:"position"`
	From      string          `json:"from"`
	Key       string          `json:"key"`
	Timestamp int64           `json:"timestamp"`
}

// History reads a page of the messages that are recorded in the room, which the
// client must be in. It moves no position: what comes with [Room.Events] is the
// same, whatever is read here. To read on, give the position of the first
// message as Before, or that of the last as After.
//
// Errors are those of [Request]; an [*Error] with code reset means that After
// cannot be honoured.
func (r Room) History(ctx context.Context, o *HistoryOptions) (Page, error) {
	if o == nil {
		o = new(HistoryOptions)
	}
	if err := r.settleIn(ctx); err != nil {
		return Page{}, err
	}
	m, err := r.client.ask(ctx, protocol.PathHistory, struct {
		Room   string `json:"room"`
		Before string `json:"before,omitempty"`
		After  string `json:"after,omitempty"`
		Limit  int    `json:"limit,omitempty"`
	}{r.name, o.Before, o.After, o.Limit})
	if err != nil {
		return Page{}, err
	}
	var answer struct {
		Messages []historyMessage `json:"messages"`
		More     bool             `json:"more"`
		Position string           `json:"position"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return Page{}, fmt.Errorf("client: the answer to finch.history makes no sense: %w", err)
	}
	page := Page{More: answer.More, Position: answer.Position}
	for _, h := range answer.Messages {
		one := &Message{Path: h.Path, Data: h.Data, Room: r.name, Position: h.Position, From: h.From, Key: h.Key}
		if h.Binary != nil {
			one.Data = nil
			if one.Binary, err = base64.StdEncoding.DecodeString(*h.Binary); err != nil {
				return Page{}, fmt.Errorf("client: a message of finch.history is not base64: %w", err)
			}
		} else if one.Data == nil {
			one.Data = json.RawMessage("null")
		}
		if h.Timestamp > 0 {
			one.Time = time.UnixMilli(h.Timestamp)
		}
		page.Messages = append(page.Messages, one)
	}
	return page, nil
}
