package stage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finch-go/finch/internal/scripted"
)

// Options are those of the command new, in milliseconds; see README.md of the
// suite.
type Options map[string]any

// quick are the options that a scenario has which sets none: waits are short,
// and nothing happens that no scenario asked for.
var quick = Options{
	"retry_first": 40, "retry_max": 160, "retry_steady": 10_000,
	"connect_timeout": 4000, "request_timeout": 4000,
	"heartbeat": 60_000, "heartbeat_timeout": 60_000,
	"publish_timeout": 8000, "publish_retry": 20,
}

// A Handler is what on and join may have beside their path or room.
type Handler map[string]any

// A Command is one command without its client.
type Command map[string]any

// A Client is one client of the driver, and the door that it knocks at.
type Client struct {
	stage *Stage
	name  string
	in    *inbox
	door  *scripted.Door
	refs  int
	conns []*Conn
}

// Client makes a client. The options come over those that make waits short.
func (s *Stage) Client(o Options) *Client {
	name := fmt.Sprintf("%s-%d", s.name, len(s.clients)+1)
	c := &Client{stage: s, name: name, in: s.driver.open(name, s.abort), door: s.server.Door("/" + name)}
	s.clients = append(s.clients, c)
	options := maps.Clone(quick)
	maps.Copy(options, o)
	url, err := s.server.Apart("/" + name)
	if err != nil {
		s.Fail("there is no port for %s: %v", name, err)
	}
	c.Do("new", Command{"url": url, "options": options})
	return c
}

// Do sends a command that has no result.
func (c *Client) Do(do string, with Command) {
	command := map[string]any{"do": do, "client": c.name}
	maps.Copy(command, with)
	c.stage.tell("%s is told %s", c.name, asJSON(command))
	c.stage.driver.do(command)
}

// Ask sends a command that has a result, and returns its number.
func (c *Client) Ask(do string, with Command) (ref int) {
	ref = c.Ref()
	command := maps.Clone(with)
	if command == nil {
		command = Command{}
	}
	command["ref"] = ref
	c.Do(do, command)
	return ref
}

// Ref returns a number that no command of this client has had.
func (c *Client) Ref() int {
	c.refs++
	return c.refs
}

// On handles a path.
func (c *Client) On(path string, h Handler) {
	with := Command{"path": path}
	maps.Copy(with, Command(h))
	c.Do("on", with)
}

// Connect tells the client to connect.
func (c *Client) Connect() { c.Do("connect", nil) }

// Open connects, answers finch.hello with the fields given, and waits until the
// client is open.
func (c *Client) Open(welcome string) *Conn {
	c.Connect()
	conn := c.Accept()
	conn.Hello()
	conn.Welcome(welcome)
	c.State("open")
	return conn
}

// Join joins a room, which the server lets it, at a position.
func (c *Client) Join(conn *Conn, room, position string, h Handler) {
	with := Command{"room": room}
	maps.Copy(with, Command(h))
	ref := c.Ask("join", with)
	m := conn.Expect("finch.join")
	conn.Answer(m, asJSON(map[string]any{"room": room, "position": position}))
	r := c.Result(ref, "joined")
	c.stage.Check(r.Room == room && r.Position == position, "joined %s at %s was reported as %v", room, position, r)
}

// Next waits for the next report of one of these kinds; others stay.
func (c *Client) Next(kinds ...string) Report {
	ctx, cancel := c.stage.patience(Patience, "%s reports %s", c.name, strings.Join(kinds, " or "))
	defer cancel()
	r, err := c.in.take(ctx, func(r Report) bool {
		return slices.Contains(kinds, r.Saw)
	})
	return c.report(r, err)
}

// Result waits for the report that bears a number. If it is not of the kind
// that is wanted the scenario fails.
func (c *Client) Result(ref int, kind string) Report {
	ctx, cancel := c.stage.patience(Patience, "%s reports %s with ref %d", c.name, kind, ref)
	defer cancel()
	r, err := c.in.take(ctx, func(r Report) bool { return r.Ref == ref })
	r = c.report(r, err)
	c.stage.Check(r.Saw == kind, "%s should have reported %s, but said %v", c.name, kind, r)
	return r
}

func (c *Client) report(r Report, err error) Report {
	if err != nil {
		for _, r := range c.in.story() {
			c.stage.tell("%s reported %v", c.name, r)
		}
		c.stage.Fail("%v", err)
	}
	c.stage.tell("%s reports %v", c.name, r)
	return r
}

// State waits until the client says that it is in a state, passing over others.
func (c *Client) State(state string) Report {
	ctx, cancel := c.stage.patience(Patience, "%s reports the state %s", c.name, state)
	defer cancel()
	for {
		r, err := c.in.take(ctx, func(r Report) bool { return r.Saw == "state" })
		r = c.report(r, err)
		if r.State == state {
			return r
		}
		c.stage.Check(r.State != "closed", "%s should have become %s, but closed: %v", c.name, state, r)
	}
}

// Fails waits for the error of a command and checks its code.
func (c *Client) Fails(ref int, codes ...string) Report {
	r := c.Result(ref, "error")
	c.stage.Check(slices.Contains(codes, r.ErrorCode()), "the error's code should be %s: %v", strings.Join(codes, " or "), r)
	return r
}

// Message waits for the next message and checks its path and its data.
func (c *Client) Message(path, data string) Report {
	r := c.Next("message")
	c.stage.Check(r.Path == path && Same(r.JSON(), data), "the next message should be %s with %s: %v", path, data, r)
	return r
}

// Seen returns all reports so far that are of one of these kinds, taken or not.
func (c *Client) Seen(kinds ...string) []Report {
	return slices.DeleteFunc(c.in.story(), func(r Report) bool { return !slices.Contains(kinds, r.Saw) })
}

// Knock waits for the client's next handshake and leaves it unanswered.
func (c *Client) Knock() *scripted.Handshake {
	ctx, cancel := c.stage.patience(Patience, "%s connects", c.name)
	defer cancel()
	h, err := c.door.Knock(ctx)
	if err != nil {
		c.report(Report{}, err)
	}
	c.stage.tell("%s connects", c.name)
	return h
}

// Accept waits for the client's next handshake and upgrades it.
func (c *Client) Accept() *Conn { return c.Upgrade(c.Knock()) }

// Upgrade upgrades a handshake.
func (c *Client) Upgrade(h *scripted.Handshake) *Conn {
	conn := &Conn{Conn: h.Upgrade(), stage: c.stage, number: len(c.conns) + 1}
	c.conns = append(c.conns, conn)
	conn.Trace(func(fromClient bool, what string) {
		arrow := "<-"
		if fromClient {
			arrow = "->"
		}
		c.stage.tell("%s connection %d %s %s", c.name, conn.number, arrow, what)
	})
	return conn
}

// StaysAway fails if the client connects within d.
func (c *Client) StaysAway(d time.Duration) {
	ctx, cancel := c.stage.patience(d, "nothing")
	defer cancel()
	if _, err := c.door.Knock(ctx); err == nil {
		c.stage.Fail("%s connected again, and should not have", c.name)
	}
}
