package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/finch-go/finch"
)

// turns sees to it that one slow reader at a time is on all nodes together, and
// that each of them knows how it stands. What nodes have to know of each other is
// published like anything else, in rooms that clients cannot enter.
type turns struct {
	taken, state, asked finch.Room
	mine                finch.Position // the last that was asked when this node's turn began
}

// Turn is what "turn" says: somebody begins.
type Turn struct {
	By string `json:"by"` // random; each try is another
}

// turnLost is after how long without news a node that had a slow reader is taken to
// have ended with it. Clocks may differ by less.
const turnLost = 10 * time.Second

// slowTurns is the prefix of the rooms.
const slowTurns = "turns:"

var errAlreadySlow = finch.Errorf(409, "already_slow", "somebody has a slow reader already")

func newTurns(m *finch.SocketManager) *turns {
	m.DeclareRooms(slowTurns+"{what}", finch.RoomOptions{HistorySize: 4})
	return &turns{taken: m.Room(slowTurns + "taken"), state: m.Room(slowTurns + "state"), asked: m.Room(slowTurns + "asked")}
}

// take begins a turn. Of several that saw the same last turn one gets the next: it
// has the key that all of them use.
func (t *turns) take(ctx context.Context) error {
	last, err := newest(ctx, t.taken)
	if err != nil {
		return err
	}
	_, err = t.taken.Publish(ctx, "turn", Turn{rand.Text()}, finch.WithKey("after "+last.Position.String()))
	if errors.Is(err, finch.ErrKeyReused) {
		return errAlreadySlow
	}
	return err
}

// note says how it stands. That nobody is told so is no reason to stop.
func (t *turns) note(ctx context.Context, now *Slow) { t.state.Publish(ctx, "slow", now) }

// last is what was noted last; nil if that says nothing of what is now.
func (t *turns) last(ctx context.Context) (*Slow, error) {
	m, err := newest(ctx, t.state)
	if err != nil || m.Position.IsZero() {
		return nil, err
	}
	now := new(Slow)
	if err := m.Decode(now); err != nil {
		return nil, err
	}
	if time.Since(m.At) > turnLost {
		now.State = "none"
	}
	return now, nil
}

// wake asks whoever has the slow reader to let it read again.
func (t *turns) wake(ctx context.Context) error {
	_, err := t.asked.Publish(ctx, "read", nil)
	return err
}

// sleep takes what was asked so far for done.
func (t *turns) sleep(ctx context.Context) error {
	m, err := newest(ctx, t.asked)
	t.mine = m.Position
	return err
}

// woken tells whether something was asked since.
func (t *turns) woken(ctx context.Context) bool {
	m, err := newest(ctx, t.asked)
	return err == nil && m.Position != t.mine
}

// newest is the last message of a room; the zero one if there is none.
func newest(ctx context.Context, room finch.Room) (m finch.Recorded, err error) {
	list, _, err := room.Latest(ctx, finch.Position{}, 1)
	if err == nil && len(list) > 0 {
		m = list[0]
	}
	return m, err
}
