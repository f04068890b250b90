package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/finch-go/finch"
)

// The tabs of a browser share one connection. That is the client's business; the
// server has one socket of theirs and need not know how many tabs there are.

// BrowserSockets is what "sockets" tells a browser: how many it has here.
type BrowserSockets struct {
	Sockets int `json:"sockets"`
}

// Note is what "note" carries in the room of a browser. A tab publishes it.
type Note struct {
	Tab  string `json:"tab"`            // which of them, in two letters
	N    int    `json:"n"`              // the tab's own count, from 1: whoever misses one notices
	Text string `json:"text,omitempty"` // empty: it is for counting alone
}

// TabQuestion is what "whose" asks and, as it came, is answered with: a tab that
// gets the answer of another tab notices.
type TabQuestion struct {
	Tab string `json:"tab"`
	N   int    `json:"n"`
}

const (
	maxTabNote  = 200     // characters
	maxTabBytes = 4 << 10 // of a note's JSON, which is kept as it came
	// tabNotes is how many notes a browser's room keeps.
	tabNotes = 100
)

// noteRooms is the prefix of the rooms in which browsers keep their notes.
const noteRooms = "notes:"

// newTabs returns the manager of the connections that tabs share. It is one of
// its own, so that the page can lose such a connection and no other.
func newTabs(h *house, logger *slog.Logger) *finch.SocketManager {
	tell := func(ctx context.Context, s *finch.Socket) {
		m := s.Manager()
		if n, err := m.User(s.User()).Count(ctx); err == nil {
			m.SendToUser(s.User(), "sockets", BrowserSockets{n})
		}
	}
	m := h.manager("tabs", finch.SocketManagerOptions{
		Logger:       logger,
		Authenticate: whichBrowser,
		Grace:        time.Minute,
		Event: finch.SocketEvent{
			OnConnect: func(ctx context.Context, s *finch.Socket) error {
				tell(ctx, s)
				return nil
			},
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) { tell(ctx, s) },
		},
	})
	m.DeclareRooms(noteRooms+"{browser}", finch.RoomOptions{
		HistorySize: tabNotes,
		HistoryAge:  time.Hour,
		CanJoin: func(ctx context.Context, s *finch.Socket, room string) error {
			if room != noteRooms+s.User() {
				return finch.Errorf(403, "not_yours", "these are the notes of another browser")
			}
			return nil
		},
		CanPublish: mayNote,
	})
	finch.OnRequest(m, "sockets", func(ctx context.Context, s *finch.Socket, _ any) (BrowserSockets, error) {
		n, err := m.User(s.User()).Count(ctx)
		return BrowserSockets{n}, err
	})
	finch.OnRequest(m, "whose", func(ctx context.Context, s *finch.Socket, in TabQuestion) (TabQuestion, error) { return in, nil })
	return m
}

// mayNote lets through what the page can show.
func mayNote(ctx context.Context, s *finch.Socket, room string, m *finch.Message) error {
	if m.Path != "note" {
		return finch.Errorf(403, "forbidden", "only notes are published here")
	}
	if len(m.Data) > maxTabBytes {
		return finch.Errorf(413, "too_large", "a note may have %d bytes", maxTabBytes)
	}
	var in Note
	strict := json.NewDecoder(bytes.NewReader(m.Data))
	strict.DisallowUnknownFields()
	if strict.Decode(&in) != nil || in.N < 1 || len(in.Tab) != 2 {
		return finch.Errorf(422, "bad_data", `a note is {"tab": "ab", "n": 1, "text": "..."}`)
	}
	if in.Text == "" {
		return nil
	}
	return isText(in.Text, maxTabNote, "bad_text", "a note")
}

// whichBrowser takes the name that a browser has drawn for itself, /tabs?browser=,
// for its user: one who is asked for by nobody else. A real app has its own users.
func whichBrowser(r *http.Request) (finch.Identity, error) {
	browser := r.URL.Query().Get("browser")
	if len(browser) < 16 || len(browser) > 64 || strings.Trim(browser, "0123456789abcdefghijklmnopqrstuvwxyz-") != "" {
		return finch.Identity{}, finch.Errorf(422, "bad_browser", "say which browser it is, with 16 to 64 letters that nobody guesses")
	}
	return finch.Identity{User: browser}, nil
}
