package actor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/finch-go/finch/chaos/internal/story"
	"github.com/finch-go/finch/client"
)

// A Library is a client that is package client. It keeps its rooms for its whole
// life, and its connections are cut under it.
type Library struct {
	world *World
	name  string
	seed  uint64
	rooms []string

	mu    sync.Mutex // guards everything below
	rng   *rand.Rand
	conn  net.Conn
	node  int
	in    map[string]bool
	open  bool
	since time.Duration // of the connection that is open
}

// NewLibrary makes one.
func NewLibrary(w *World, name string, seed uint64, rooms []string) *Library {
	return &Library{world: w, name: name, seed: seed, rooms: rooms, rng: rand.New(rand.NewPCG(seed, 0x11b)), in: map[string]bool{}, node: -1}
}

// View answers how it stands.
func (l *Library) View() View {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := View{Name: l.name, Node: -1, Rooms: map[string]*RoomView{}}
	if l.open {
		v.Node, v.Since = l.node, l.since
		for room, in := range l.in {
			if in {
				v.Rooms[room] = &RoomView{}
			}
		}
	}
	return v
}

func (l *Library) draw(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.IntN(n)
}

// dial connects to whichever node.
func (l *Library) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	node := l.draw(len(l.world.Nodes))
	nc, err := (&net.Dialer{Timeout: dialPatience}).DialContext(ctx, network, l.world.Nodes[node])
	if err != nil {
		return nil, err
	}
	l.world.Connects.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.node = nc, node
	return nc, nil
}

func (l *Library) state(s client.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open = s.Phase == client.Open; l.open {
		l.since = l.world.Now()
	}
}

// Run lives until ctx ends.
func (l *Library) Run(ctx context.Context) {
	c, err := client.New("ws://finch.test/ws", &client.Options{
		Token: func(context.Context) (string, error) { return l.name, nil },
		Dial:  l.dial, OnState: l.state, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		ConnectTimeout: helloLimit, RetryFirst: 200 * time.Millisecond, RetryMax: 500 * time.Millisecond, RetrySteady: time.Second,
		Heartbeat: silence, HeartbeatTimeout: deadAfter - silence, PublishTimeout: 4 * time.Minute,
	})
	if err != nil {
		panic(err)
	}
	c.Connect(ctx)
	var wg sync.WaitGroup
	for _, name := range l.rooms {
		wg.Go(func() { l.follow(ctx, c.Room(name)) })
		wg.Go(func() { l.publish(ctx, c.Room(name)) })
	}
	wg.Go(func() { l.stumble(ctx) })
	wg.Wait()
	c.Close()
}

// stumble loses connections now and then.
func (l *Library) stumble(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-time.After(500*time.Millisecond + time.Duration(l.draw(5000))*time.Millisecond):
		case <-ctx.Done():
			return
		}
		if l.world.settles() {
			return
		}
		l.mu.Lock()
		if l.conn != nil {
			l.conn.Close()
		}
		l.mu.Unlock()
	}
}

// follow tells what comes in a room.
func (l *Library) follow(ctx context.Context, room client.Room) {
	if _, err := room.Join(ctx); err != nil {
		l.failed(ctx, room, "join", err)
		return
	}
	stand := "" // where it stands: what the client has shown when it comes back
	for event, err := range room.Events(ctx) {
		if err != nil {
			l.failed(ctx, room, "events", err)
			return
		}
		e := story.Event{Room: room.Name()}
		switch v := event.(type) {
		case *client.Message:
			e.Kind, e.Position, e.Key = story.Got, v.Position, v.Key
		case *client.Joined:
			e.Kind, e.Position, e.Missed = story.Joined, v.Position, v.Missed
			if v.Recovered {
				e.Kind, e.Shown = story.Recovered, stand
			} else {
				e.Shown = stand
			}
		case *client.Reset:
			e.Kind, e.Position, e.Reason, e.Shown = story.Reset, v.Position, v.Reason, stand
		case *client.Lagged:
			e.Kind = story.Lagged
		case *client.Left:
			e.Kind, e.Reason = story.Expelled, fmt.Sprint(v.Err)
		}
		if e.Position != "" {
			stand = e.Position
		}
		l.saw(e)
	}
}

func (l *Library) saw(e story.Event) {
	l.mu.Lock()
	l.in[e.Room] = e.Kind != story.Expelled
	e.Node = l.node
	l.mu.Unlock()
	e.At, e.Client, e.Session = l.world.Now(), l.name, 1
	l.world.Story.Saw(e)
}

func (l *Library) failed(ctx context.Context, room client.Room, what string, err error) {
	if ctx.Err() == nil {
		l.world.Story.Violate(story.Violation{At: l.world.Now(), Kind: "client failed", Room: room.Name(), Client: l.name, Text: what + ": " + err.Error()})
	}
}

// publish publishes in a room, one message after another.
func (l *Library) publish(ctx context.Context, room client.Room) {
	for n := 0; ctx.Err() == nil; n++ {
		pause := time.Duration(l.draw(int(2*l.world.Pause)*len(l.rooms) + 1))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if l.world.settles() {
			return
		}
		if !l.member(room.Name()) || float64(l.draw(1000)) > 1000*l.world.share(room.Name()) {
			continue
		}
		key := l.name + "-" + room.Name() + "-" + strconv.Itoa(n) + "-" + strconv.FormatUint(l.seed, 36)
		l.world.Story.Published(story.Publication{Key: key, Room: room.Name(), Publisher: l.name, Session: 1, Begun: l.world.Now()})
		done, err := room.Publish(ctx, "note", map[string]string{"text": "salaam", "key": key}, &client.PublishOptions{Key: key})
		switch {
		case err == nil:
			l.world.Story.Acknowledged(l.world.Now(), key, done.Position, done.Duplicate)
		case ctx.Err() == nil && !errors.Is(err, client.ErrClosed):
			l.failed(ctx, room, "publish", err)
		}
	}
}

func (l *Library) member(room string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.in[room]
}
