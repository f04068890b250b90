package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

const (
	// maxPage is the most messages of one page.
	maxPage = 1000
	// pageBytes is about how long a page's messages are together; the rest is left
	// for the next page.
	pageBytes = 4 << 20
)

// Read is documented at broker.Broker. It asks the master, whose answer is whole.
// To read a room that nobody has used yet writes its head, of 190 bytes, as Open
// and Heads do: from then on it has an epoch.
// If it is not as far as r.Until the store has lost its tail, or a replica that
// was behind has just become the master: Read asks again a few times and then
// returns the page, whose Head tells.
func (b *Broker) Read(ctx context.Context, room string, r broker.Range) (broker.Page, error) {
	if err := b.ready(ctx, room); err != nil {
		return broker.Page{}, err
	}
	pause := newPause(5*time.Millisecond, 50*time.Millisecond)
	for try := 0; ; try++ {
		page, err := b.read(ctx, room, r)
		if err != nil || try == 3 || page.Head.Offset >= r.Until || page.Head.Epoch != r.From.Epoch || !pause.wait(ctx, nil) {
			return page, err
		}
	}
}

func (b *Broker) read(ctx context.Context, room string, r broker.Range) (broker.Page, error) {
	limit := r.Limit
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	newest := "0"
	if r.Newest {
		newest = "1"
	}
	args := []string{
		strconv.FormatUint(min(r.From.Offset, maxOffset), 10), strconv.FormatUint(min(r.Before, maxOffset), 10),
		strconv.Itoa(limit), newest, strconv.Itoa(pageBytes),
	}
	answer, err := b.run(ctx, readScript, []string{b.names.key(kindHead, room), b.names.key(kindMessages, room)}, args).ToArray()
	if err != nil {
		return broker.Page{}, b.unavailable(ctx, err)
	}
	if len(answer) < 3 {
		// Nobody has it open, or its head would be there. It begins now, so that the
		// position which the caller gets is good for later.
		heads, err := b.heads(ctx, []string{room})
		if err != nil {
			return broker.Page{}, b.unavailable(ctx, err)
		}
		return broker.Page{Head: heads[0].position, Whole: r.From.Epoch == "" || r.From.Epoch == heads[0].position.Epoch}, nil
	}
	page, err := parsePage(room, answer, r)
	if err != nil {
		return broker.Page{}, fmt.Errorf("%w: history of the room: %w", broker.ErrUnavailable, err)
	}
	return page, nil
}

// parsePage makes a page of the read script's answer.
func parsePage(room string, answer []rueidis.RedisMessage, r broker.Range) (broker.Page, error) {
	text, err := answer[0].ToString()
	if err != nil {
		return broker.Page{}, err
	}
	h, err := parseHead(text)
	if err != nil {
		return broker.Page{}, err
	}
	first, err := answer[1].AsInt64()
	if err != nil {
		return broker.Page{}, err
	}
	kept := int64(h.position.Offset) - first + 1
	page := broker.Page{
		Head:  h.position,
		Whole: uint64(first-1) <= r.From.Offset,
		Spare: kept < int64(h.size) && !h.squeezed,
	}
	if h.size > 0 {
		page.Kept = h.age
	}
	if !r.From.IsZero() && r.From.Epoch != h.position.Epoch {
		page.Whole = false
		return page, nil
	}
	more, err := answer[2].AsInt64()
	if err != nil {
		return broker.Page{}, err
	}
	page.More = more != 0
	for _, item := range answer[3:] {
		text, err := item.ToString()
		if err != nil {
			return broker.Page{}, err
		}
		m, err := parseRecord(room, text)
		if err != nil {
			return broker.Page{}, err
		}
		page.Messages = append(page.Messages, m)
	}
	return page, nil
}
