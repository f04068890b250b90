package main

import (
	"context"
	"errors"

	"github.com/finch-go/finch/client"
)

// do carries out a command, and does not wait for what becomes of it.
func (a *actor) do(cmd command) {
	switch cmd.Do {
	case "new":
		if err := a.make(cmd); err != nil {
			a.failed(0, err)
		}
	case "on":
		p := &player{a: a, behaviour: cmd.behaviour}
		client.OnRequest(a.client, cmd.Path, func(ctx context.Context, m *client.Message) (any, error) { return p.play(m) })
	case "connect":
		go a.client.Connect(a.life)
	case "send":
		if err := a.client.Send(cmd.Path, cmd.raw()); err != nil {
			a.failed(0, err)
		}
	case "request":
		go a.request(cmd)
	case "join":
		go a.join(cmd)
	case "leave":
		go a.leave(cmd)
	case "publish":
		a.publish(cmd)
	case "history":
		go a.history(cmd)
	case "presence":
		go a.presence(cmd)
	case "close":
		go a.client.Close()
	case "forget":
		a.end()
		go a.client.Close()
	default:
		a.report("unknown", report{"do": cmd.Do})
	}
}

// within carries out a command in a handler: one after another, as a user's code
// would.
func (a *actor) within(cmd command) {
	switch cmd.Do {
	case "leave":
		a.leave(cmd)
	case "join":
		a.enter(cmd)
	case "close":
		a.client.Close()
	default:
		a.do(cmd)
	}
}

func (a *actor) request(cmd command) {
	ctx := a.life
	if cmd.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ms(cmd.Timeout))
		defer cancel()
	}
	m, err := client.Request[any, *client.Message](ctx, a.client, cmd.Path, cmd.raw())
	if err != nil {
		a.failed(cmd.Ref, err)
		return
	}
	a.report("answer", answer(cmd.Ref, m))
}

// join joins a room and reports what comes in it.
func (a *actor) join(cmd command) {
	if !a.enter(cmd) {
		return
	}
	p := &player{a: a, behaviour: cmd.behaviour}
	for event, err := range a.client.Room(cmd.Room).Events(a.life) {
		if err != nil {
			return
		}
		if m, ok := event.(*client.Message); ok {
			p.play(m)
			continue
		}
		a.saw(event, 0)
	}
}

func (a *actor) enter(cmd command) bool {
	joined, err := a.client.Room(cmd.Room).Join(a.life)
	if err != nil {
		a.failed(cmd.Ref, err)
		return false
	}
	a.saw(&joined, cmd.Ref)
	return true
}

func (a *actor) leave(cmd command) {
	if err := a.client.Room(cmd.Room).Leave(a.life); err != nil {
		a.failed(cmd.Ref, err)
		return
	}
	a.report("answer", report{"ref": cmd.Ref, "data": nil})
}

func (a *actor) publish(cmd command) {
	o := &client.PublishOptions{Key: cmd.Key, NoEcho: cmd.Echo != nil && !*cmd.Echo}
	p, err := a.client.Room(cmd.Room).StartPublish(cmd.Path, cmd.raw(), o)
	if err != nil {
		a.failed(cmd.Ref, err)
		return
	}
	go func() {
		done, err := p.Wait(a.life)
		if err != nil {
			a.failed(cmd.Ref, err)
			return
		}
		a.report("published", report{"ref": cmd.Ref, "position": done.Position, "duplicate": done.Duplicate})
	}()
}

func (a *actor) history(cmd command) {
	page, err := a.client.Room(cmd.Room).History(a.life, &client.HistoryOptions{Before: cmd.Before, After: cmd.After, Limit: cmd.Limit})
	if err != nil {
		a.failed(cmd.Ref, err)
		return
	}
	messages := []report{}
	for _, m := range page.Messages {
		messages = append(messages, shown(m))
	}
	a.report("history", report{"ref": cmd.Ref, "messages": messages, "more": page.More})
}

func (a *actor) presence(cmd command) {
	room := a.client.Room(cmd.Room)
	tell := func(p client.Presence, ref int) {
		ids := []string{}
		for _, m := range p.Members {
			ids = append(ids, m.ID)
		}
		r := report{"room": cmd.Room, "members": ids, "count": p.Count}
		if ref != 0 {
			r["ref"] = ref
		}
		a.report("presence", r)
	}
	if !cmd.Watch {
		p, err := room.Presence(a.life)
		if err != nil {
			a.failed(cmd.Ref, err)
			return
		}
		tell(p, cmd.Ref)
		return
	}
	ref := cmd.Ref
	for p, err := range room.WatchPresence(a.life) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				a.failed(ref, err)
			}
			return
		}
		tell(p, ref)
		ref = 0
	}
}
