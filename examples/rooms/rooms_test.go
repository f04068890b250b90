package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// states is an online that remembers.
type states struct {
	mu  sync.Mutex
	all []string
}

func (o *states) Set(client, state string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, client+" "+state)
}

func (o *states) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.all, ", ")
}

// enter connects a user who says hello and joins a chat.
func enter(t *testing.T, sockets *finch.SocketManager, user, room string) *finchtest.Client {
	t.Helper()
	c := finchtest.Connect(t, sockets, finch.Identity{User: user})
	c.Hello()
	if _, err := c.Join(room); err != nil {
		t.Fatal(err)
	}
	return c
}

func publish(t *testing.T, c *finchtest.Client, room, text string) {
	t.Helper()
	if _, _, err := c.Publish(room, "line", Line{text}, ""); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c *finchtest.Client, from, text string) {
	t.Helper()
	var got Line
	if r := c.Expect("line", &got); got.Text != text || r.From != from {
		t.Fatalf("heard %s, want %q of %s", r, text, from)
	}
}

// ask sends an HTTP request to the server and decodes its answer.
func ask(t *testing.T, server http.Handler, method, address string, into any) {
	t.Helper()
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest(method, address, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, address, w.Code, w.Body)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyGuestsEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(new(states))
		bob := enter(t, sockets, "bob", "chat:7")
		if _, err := bob.Join("chat:8"); finch.StatusOf(err) != 403 {
			t.Errorf("bob enters ann's chat: %v", err)
		}
		if _, err := bob.Join("staff"); finch.StatusOf(err) != 403 {
			t.Errorf("bob enters the staff by himself: %v", err)
		}
	})
}

func TestALineStaysInItsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(new(states))
		ann, bob := enter(t, sockets, "ann", "chat:7"), enter(t, sockets, "bob", "chat:7")
		other := enter(t, sockets, "ann", "chat:8")
		publish(t, ann, "chat:7", "سلام")
		hear(t, ann, "ann", "سلام")
		hear(t, bob, "ann", "سلام")
		other.ExpectNothing()
		if _, _, err := ann.Publish("chat:7", "line", Line{}, ""); finch.StatusOf(err) != 422 {
			t.Errorf("an empty line: %v", err)
		}
	})
}

func TestWhoWasAwayGetsWhatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who := new(states)
		sockets := newSockets(who)
		ann, bob := enter(t, sockets, "ann", "chat:7"), enter(t, sockets, "bob", "chat:7")
		bob.Drop()
		finchtest.Pass(5 * time.Second)
		publish(t, ann, "chat:7", "where are you?")
		ann.Send("typing", Typing{"chat:7", "ann"}) // only for those who are here
		synctest.Wait()
		bob.Resume()
		bob.Expect("finch.joined", nil)
		hear(t, bob, "ann", "where are you?")
		bob.ExpectNothing()
		bob.Drop()
		finchtest.Pass(time.Minute)
		if got := who.String(); got != "bob away, bob back, bob away, bob gone" {
			t.Error(got)
		}
	})
}

func TestWhatTheServerPublishesSparesItsSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(new(states))
		ann, bob := enter(t, sockets, "ann", "chat:7"), enter(t, sockets, "bob", "chat:7")
		if _, err := finchtest.Request[Posted](ann, "post", Post{"chat:7", Line{"hello"}}); err != nil {
			t.Fatal(err)
		}
		hear(t, bob, "ann", "hello")
		ann.Expect("finch.position", nil) // her place moves all the same
		ann.ExpectNothing()
		if _, err := finchtest.Request[Posted](bob, "post", Post{"chat:8", Line{"hello"}}); finch.StatusOf(err) != 403 {
			t.Errorf("bob posts where he is not: %v", err)
		}
	})
}

func TestTypingReachesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(new(states))
		ann, bob := enter(t, sockets, "ann", "chat:7"), enter(t, sockets, "bob", "chat:7")
		ann.Send("typing", Typing{"chat:7", "ann"})
		if r := bob.Expect("typing", nil); r.Position != "" {
			t.Errorf("it was recorded: %s", r)
		}
		ann.ExpectNothing()
	})
}

func TestTheServerLetsStaffInAndBackIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(new(states))
		ann := finchtest.Connect(t, sockets, finch.Identity{User: "ann"})
		ann.Hello()
		if _, err := finchtest.Request[any](ann, "staff.enter", "please"); finch.StatusOf(err) != 403 {
			t.Fatalf("got %v", err)
		}
		if _, err := finchtest.Request[any](ann, "staff.enter", "open sesame"); err != nil {
			t.Fatal(err)
		}
		ann.Expect("finch.joined", nil)
		ann.Drop()
		synctest.Wait()
		if _, err := sockets.Room("staff").Publish(t.Context(), "line", Line{"a meeting at ten"}); err != nil {
			t.Fatal(err)
		}
		ann.Resume()
		hear(t, ann, "", "a meeting at ten")
	})
}

func TestARoomIsReadOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(new(states))
		server := newServer(sockets)
		ann := enter(t, sockets, "ann", "chat:7")
		enter(t, sockets, "ann", "chat:7")
		bob := enter(t, sockets, "bob", "chat:7")
		publish(t, ann, "chat:7", "1")
		publish(t, bob, "chat:7", "2")
		var lines []entry
		ask(t, server, "GET", "/chats/7/lines", &lines)
		if len(lines) != 2 || lines[0].From != "ann" || string(lines[1].Data) != `{"text":"2"}` || lines[1].At.IsZero() {
			t.Errorf("got %+v", lines)
		}
		bob.Drop()
		finchtest.Pass(5 * time.Second) // he may come back
		var members map[string]int
		ask(t, server, "GET", "/chats/7/members", &members)
		if members["ann"] != 2 || members["bob"] != 1 {
			t.Errorf("got %v", members)
		}
		finchtest.Pass(time.Minute) // he has not
		members = nil
		if ask(t, server, "GET", "/chats/7/members", &members); members["ann"] != 2 || len(members) != 1 {
			t.Errorf("got %v", members)
		}
	})
}

func TestAClosedChatIsEmptyAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(new(states))
		server := newServer(sockets)
		ann := enter(t, sockets, "ann", "chat:7")
		publish(t, ann, "chat:7", "1")
		hear(t, ann, "ann", "1")
		ask(t, server, "DELETE", "/chats/7", nil)
		ann.Expect("finch.left", nil)
		var lines []entry
		if ask(t, server, "GET", "/chats/7/lines", &lines); len(lines) != 0 {
			t.Errorf("still there: %+v", lines)
		}
		if _, _, err := ann.Publish("chat:7", "line", Line{"2"}, ""); finch.StatusOf(err) != 403 {
			t.Errorf("ann is still in: %v", err)
		}
	})
}

func TestThePageFindsItsClient(t *testing.T) {
	server := newServer(newSockets(&states{}))
	for path, want := range map[string]string{"/": "from '/finch.js'", "/finch.js": "finch.hello"} {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, without %q", path, w.Code, want)
		}
	}
}

func TestPageIsSomebodys(t *testing.T) {
	sockets := newSockets(&states{})
	server := httptest.NewServer(signIn(newServer(sockets)))
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	for _, who := range []struct{ page, user string }{{"/", "ann"}, {"/?as=bob", "bob"}, {"/", "bob"}} {
		page, err := browser.Get(server.URL + who.page)
		if err != nil || page.StatusCode != http.StatusOK {
			t.Fatal(page, err)
		}
		page.Body.Close()
		r, _ := http.NewRequest("GET", server.URL+"/ws", nil)
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
			r.Header.Set(name, value)
		}
		socket, err := browser.Do(r)
		if err != nil || socket.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(socket, err)
		}
		n, err := sockets.User(who.user).Count(t.Context())
		if err != nil || n != 1 {
			t.Errorf("after %s there are %d sockets of %s: %v", who.page, n, who.user, err)
		}
		sockets.User(who.user).CloseSockets(1000, "")
		socket.Body.Close()
		for n != 0 {
			if n, err = sockets.User(who.user).Count(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
