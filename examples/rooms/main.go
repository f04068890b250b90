// Command rooms is a chat whose rooms clients join: what is said there is
// recorded, who loses the connection comes back and gets what was missed, and
// everybody sees who is there.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"slices"
	"time"

	"github.com/finch-go/finch"
)

//go:embed index.html
var pages embed.FS

// Line is what somebody says in a room.
type Line struct {
	Text string `json:"text"`
}

// Post asks the server to say something in a room.
type Post struct {
	Room string `json:"room"`
	Line Line   `json:"line"`
}

// Posted answers it.
type Posted struct {
	Position finch.Position `json:"position"`
}

// Typing tells that somebody writes.
type Typing struct {
	Room string `json:"room"`
	Name string `json:"name"`
}

// guests stands for the program's own table of who may enter which chat.
var guests = map[string][]string{"7": {"ann", "bob"}, "8": {"ann"}}

// online tells the program's other parts who can be reached.
type online interface {
	Set(client string, state string)
}

func newSockets(who online) *finch.SocketManager {
	// region session
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Session: finch.SessionEvent{
			OnDrop:   func(ctx context.Context, ses *finch.Session) { who.Set(ses.Name(), "away") },
			OnResume: func(ctx context.Context, ses *finch.Session, s *finch.Socket) { who.Set(ses.Name(), "back") },
			OnLeave:  func(ctx context.Context, ses *finch.Session, why finch.CloseReason) { who.Set(ses.Name(), "gone") },
		},
	})
	// endregion

	// region declare
	sockets.DeclareRooms("chat:{id}", finch.RoomOptions{
		HistorySize: 100, HistoryAge: 24 * time.Hour, Presence: true,
		CanJoin: func(ctx context.Context, s *finch.Socket, room string) error {
			id := s.Manager().Room(room).Value("id")
			if !slices.Contains(guests[id], s.User()) {
				return finch.Errorf(403, "not_invited", "ask somebody in %s to invite you", room)
			}
			return nil
		},
		CanPublish: func(ctx context.Context, s *finch.Socket, room string, m *finch.Message) error {
			var in Line
			if err := m.Decode(&in); err != nil {
				return err
			}
			if m.Path != "line" || in.Text == "" {
				return finch.Errorf(422, "no_line", "what is published here is a line with a text")
			}
			return nil
		},
	})
	// endregion

	// region staff
	sockets.DeclareRooms("staff", finch.RoomOptions{HistorySize: 100}) // no CanJoin: clients cannot enter by themselves
	finch.On(sockets, "staff.enter", func(ctx context.Context, s *finch.Socket, password string) error {
		if password != "open sesame" {
			return finch.Errorf(403, "wrong", "that is not the password")
		}
		return s.Join(ctx, "staff")
	})
	// endregion

	// region post
	finch.OnRequest(sockets, "post", func(ctx context.Context, s *finch.Socket, in Post) (Posted, error) {
		if !slices.Contains(s.Rooms(), in.Room) {
			return Posted{}, finch.Errorf(403, "not_here", "join %s first", in.Room)
		}
		position, err := sockets.Room(in.Room).Publish(ctx, "line", in.Line, finch.From(s), finch.Except(s))
		return Posted{position}, err
	})
	// endregion

	// region typing
	finch.On(sockets, "typing", func(ctx context.Context, s *finch.Socket, in Typing) error {
		if !slices.Contains(s.Rooms(), in.Room) {
			return finch.Errorf(403, "not_here", "join %s first", in.Room)
		}
		return sockets.Room(in.Room).Send("typing", in, finch.Except(s))
	})
	// endregion
	return sockets
}

// entry is a line of the archive.
type entry struct {
	From string          `json:"from"`
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
}

// newServer serves what a program without a socket wants of a room. Put it
// behind whatever keeps others out.
func newServer(sockets *finch.SocketManager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", sockets)

	// region script
	mux.Handle("GET /finch.js", finch.ClientScript())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pages, "index.html") })
	// endregion

	// region history
	mux.HandleFunc("GET /chats/{id}/lines", func(w http.ResponseWriter, r *http.Request) {
		lines := []entry{}
		for m, err := range sockets.Room("chat:"+r.PathValue("id")).History(r.Context(), finch.Position{}) {
			if err != nil {
				http.Error(w, "the archive cannot be read now", http.StatusServiceUnavailable)
				return
			}
			lines = append(lines, entry{m.From, m.At, m.Data})
		}
		json.NewEncoder(w).Encode(lines)
	})
	// endregion

	// region members
	mux.HandleFunc("GET /chats/{id}/members", func(w http.ResponseWriter, r *http.Request) {
		members := map[string]int{}
		for who, err := range sockets.Room("chat:" + r.PathValue("id")).Members(r.Context()) {
			if err != nil {
				http.Error(w, "nobody can say now", http.StatusServiceUnavailable)
				return
			}
			members[who.Name] = who.Devices
		}
		json.NewEncoder(w).Encode(members)
	})
	// endregion

	// region close
	mux.HandleFunc("DELETE /chats/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch err := sockets.Room("chat:" + r.PathValue("id")).Close(r.Context()); {
		case errors.Is(err, finch.ErrUnavailable):
			http.Error(w, "try again", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, "the chat cannot be closed", http.StatusInternalServerError)
		}
	})
	// endregion
	return mux
}

// printed is an online that prints.
type printed struct{}

func (printed) Set(client, state string) { log.Println(client, "is", state) }

// signIn stands for the program's own: http://localhost:3000/?as=bob is bob from
// then on, and everybody else is ann.
func signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "ann"
		if c, err := r.Cookie("guest"); err == nil {
			name = c.Value
		}
		if as := r.URL.Query().Get("as"); as != "" {
			name = as
			http.SetCookie(w, &http.Cookie{Name: "guest", Value: as, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
		next.ServeHTTP(w, r.WithContext(finch.IdentityContext(r.Context(), finch.Identity{User: name})))
	})
}

func main() {
	log.Fatal(http.ListenAndServe("localhost:3000", signIn(newServer(newSockets(printed{})))))
}
