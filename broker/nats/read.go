package nats

import (
	"context"
	"fmt"
	"time"

	"github.com/finch-go/finch/broker"
)

const (
	// maxPage is the most messages of one page.
	maxPage = 1000
	// skew is how far the clocks of the servers may be apart, at least, without
	// anybody being told wrongly that nothing was missed.
	skew = 10 * time.Minute
)

// A place is where a room is found on disk.
type place struct {
	stream *stream // nil: it has no message
	count  int     // of its messages
	last   record
	// whole, asked with the time at which the room was found empty, reports
	// whether no message recorded since can have left the disk.
	whole func(empty broker.Position) bool
	// spare: no message younger than the age of its profile has left because of
	// its number or bytes.
	spare bool
	now   time.Time
}

// Read is documented at broker.Broker.
func (b *Broker) Read(ctx context.Context, name string, r broker.Range) (broker.Page, error) {
	if err := b.ready(ctx, name); err != nil {
		return broker.Page{}, err
	}
	if r.Limit <= 0 || r.Limit > maxPage {
		r.Limit = maxPage
	}
	if page, ok := b.readEnough(ctx, name, r); ok {
		return page, nil
	}
	var page broker.Page
	patience := time.Now().Add(time.Second)
	err := b.again(ctx, func() (err error) {
		page, err = b.readOnce(ctx, name, r)
		if err == nil && page.Head.Epoch == r.From.Epoch && page.Head.Offset < r.Until && time.Now().Before(patience) {
			return errStale // the leader has just changed, or the store lost what the caller knows
		}
		return err
	})
	if err != nil {
		return broker.Page{}, unserved(ctx, err)
	}
	return page, nil
}

func (b *Broker) readOnce(ctx context.Context, name string, r broker.Range) (broker.Page, error) {
	at, err := b.locate(ctx, name)
	if err != nil {
		return broker.Page{}, err
	}
	token, partition := tokenOf(name), b.layout.partition(name)
	epoch := b.epochs.of(token, partition)
	var last *record
	if at.stream != nil {
		last = &at.last
	}
	page := broker.Page{Head: b.head(name, last, at.now).Position}
	b.mark()
	if !r.From.IsZero() && r.From.Epoch != epoch {
		return page, nil
	}
	if at.stream == nil {
		page.Whole = r.From.Tag == 0 && at.whole(r.From)
		return page, nil
	}
	profile := at.stream.profile
	if profile.Size > 0 {
		page.Kept = profile.Age
		page.Spare = at.spare && at.count < profile.Size
	}
	read := newReading(b, at, token, r)
	if err := read.all(ctx); err != nil {
		return broker.Page{}, err
	}
	read.into(&page, name, epoch)
	return page, nil
}

// locate finds the stream that a room's messages are in, through the leaders of
// all that may have them.
func (b *Broker) locate(ctx context.Context, name string) (place, error) {
	streams := b.streamsOf(name)
	token := tokenOf(name)
	infos := make([]streamInfo, len(streams))
	lasts := make([]*stored, len(streams))
	var g group
	g.Go(func() error { return b.learnEpochs(ctx) })
	for i, s := range streams {
		g.Go(func() (err error) {
			infos[i], err = b.streamInfo(ctx, s.name, s.prefix+token)
			return err
		})
		g.Go(func() (err error) {
			lasts[i], err = b.leaderGet(ctx, s.name, leaderQuestion{LastFor: s.prefix + token})
			if isCode(err, codeNoMessage) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return place{}, err
	}
	at := place{now: infos[0].At}
	b.setClock(at.now)
	for i, s := range streams {
		if lasts[i] == nil {
			continue
		}
		if rec := lasts[i].record(); at.stream == nil || at.last.at.Before(rec.at) {
			rec.stream = s
			at.stream, at.last, at.count = s, rec, int(infos[i].State.Subjects[s.prefix+token])
			at.spare = infos[i].reaches(at.now.Add(-s.profile.Age-skew), b.options.MaxBytes)
		}
	}
	at.whole = func(empty broker.Position) bool {
		for i, s := range streams {
			if int(infos[i].State.Subjects[s.prefix+token]) >= s.depth || !infos[i].keeps(empty, s.kept, b.options.MaxBytes) {
				return false
			}
		}
		return true
	}
	return at, nil
}

// reaches reports whether no bound of bytes can have taken what came after a
// time.
func (i *streamInfo) reaches(back time.Time, maxBytes int64) bool {
	st := &i.State
	return maxBytes == 0 || st.FirstSequence == firstSequence || st.Messages > 0 && st.FirstTime.Before(back)
}

// keeps reports whether neither age nor bytes can have taken a message that came
// after a room was found empty. The clocks of the servers that wrote the two
// times may differ.
func (i *streamInfo) keeps(empty broker.Position, kept time.Duration, maxBytes int64) bool {
	st := &i.State
	since := time.Unix(int64(min(empty.Offset, firstSequence)), 0).Add(-skew)
	switch {
	case empty.Offset >= firstSequence, since.After(i.At): // nobody has found it empty yet
		return false
	case st.FirstSequence == firstSequence: // nothing at all has left
		return true
	case st.Messages > 0 && st.FirstTime.Before(since): // all younger ones are there
		return true
	}
	return maxBytes == 0 && (kept == 0 || i.At.Sub(since) < kept-kept/10)
}

// A reading reads the messages of a range.
type reading struct {
	b       *Broker
	at      place
	subject string
	r       broker.Range
	young   time.Time // older messages are hidden; zero: none are

	found  []record // what can be seen, and no more than one beyond the limit
	total  int      // messages that the first question met
	hidden int      // messages passed over
	before record   // the last of those
	met    bool     // the message at From was among what was read
	from   uint64   // sequence where reading began
	skips  bool     // it began later than the range
	ended  bool     // up to the head or Before
}

func newReading(b *Broker, at place, token string, r broker.Range) *reading {
	rd := &reading{b: b, at: at, subject: at.stream.prefix + token, r: r}
	if profile := at.stream.profile; profile.Age > 0 && profile.Size > 0 {
		rd.young = at.now.Add(-profile.Age)
	}
	return rd
}

func (rd *reading) all(ctx context.Context) error {
	r := &rd.r
	if rd.at.stream.profile.Size == 0 {
		rd.ended = true
		return nil
	}
	if !r.From.IsZero() && !r.From.IsEmpty() {
		rd.from = r.From.Offset
	}
	if r.Before != 0 && r.Before <= rd.from {
		rd.ended = true
		return nil
	}
	if r.Newest {
		if err := rd.skip(ctx); err != nil {
			return err
		}
	}
	for from := rd.from; !rd.ended && (r.Newest || len(rd.found) <= r.Limit); {
		got, err := rd.b.directGet(ctx, rd.at.stream.name, directQuestion{
			Sequence: max(from, 1), NextFor: rd.subject, Batch: r.Limit + 2, MaxBytes: batchBytes,
		})
		if err != nil {
			return err
		}
		if got.none {
			return rd.end(from)
		}
		total := len(got.messages) + int(got.pending)
		rd.total = max(rd.total, total)
		for i, m := range got.messages {
			rec := recordFrom(m)
			if r.Before != 0 && rec.sequence >= r.Before {
				rd.ended = true
				return nil
			}
			rd.take(rec, total-i)
			from = rec.sequence + 1
		}
		if got.pending == 0 {
			return rd.end(from)
		}
	}
	return nil
}

// take takes the next message, which is the n-th from the end of the room.
func (rd *reading) take(rec record, n int) {
	if rec.sequence == rd.r.From.Offset {
		rd.met = true
	}
	if n > rd.at.stream.profile.Size || rec.at.Before(rd.young) || rec.at.Equal(rd.young) {
		rd.hidden, rd.before, rd.found = rd.hidden+1+len(rd.found), rec, nil
		return
	}
	rd.found = append(rd.found, rec)
}

// end is where a replica has no more.
func (rd *reading) end(next uint64) error {
	rd.ended = true
	if next <= rd.at.last.sequence && (rd.r.Before == 0 || rd.r.Before > rd.at.last.sequence) {
		return fmt.Errorf("%w: the room ends before %d", errStale, rd.at.last.sequence)
	}
	return nil
}

// skip moves the beginning of a reading that wants the newest messages to where
// not many more than those remain.
func (rd *reading) skip(ctx context.Context) error {
	want := rd.r.Limit + 2
	if rd.at.count <= 4*want {
		return nil
	}
	remain := func(from uint64) (first uint64, n int, err error) {
		got, err := rd.b.directGet(ctx, rd.at.stream.name, directQuestion{Sequence: max(from, 1), NextFor: rd.subject, Batch: 1})
		if err != nil || len(got.messages) == 0 {
			return 0, 0, err
		}
		return number(got.messages[0].Header, headerSequence), 1 + int(got.pending), nil
	}
	beyond := 0 // messages at and after Before
	if rd.r.Before != 0 {
		_, n, err := remain(rd.r.Before)
		if err != nil {
			return err
		}
		beyond = n
	}
	low, n, err := remain(rd.from)
	if err != nil {
		return err
	}
	high := rd.at.last.sequence + 1
	if rd.r.Before != 0 {
		high = min(high, rd.r.Before)
	}
	for n-beyond > 2*want && low < high {
		middle := low + (high-low)/2
		first, m, err := remain(middle)
		switch {
		case err != nil:
			return err
		case m-beyond >= want && first > low:
			low, n = first, m
			rd.from, rd.skips = low, true
		default:
			high = middle
		}
	}
	return nil
}

// into fills a page with what was read.
func (rd *reading) into(page *broker.Page, name, epoch string) {
	r, found := &rd.r, rd.found
	skipped := rd.hidden > 0
	before := rd.before
	if len(found) > r.Limit {
		page.More = true
		if r.Newest {
			cut := len(found) - r.Limit
			before, skipped, found = found[cut-1], true, found[cut:]
		} else {
			found = found[:r.Limit]
		}
	} else if rd.skips && rd.hidden == 0 {
		page.More = true
	}
	if rd.ended && r.Before == 0 && len(found) > 0 && !page.More {
		last := &found[len(found)-1]
		page.Head = broker.Position{Epoch: epoch, Offset: last.sequence, Tag: last.tag}
	}
	for i := range found {
		m := found[i].message(name, epoch)
		switch {
		case i > 0:
			m.Prev, m.PrevTag = found[i-1].sequence, found[i-1].tag
		case skipped:
			m.Prev, m.PrevTag = before.sequence, before.tag
		}
		page.Messages = append(page.Messages, m)
	}
	page.Whole = rd.whole(found)
}

// whole says whether nothing after From is hidden or gone.
func (rd *reading) whole(found []record) bool {
	r := &rd.r
	if r.From.Tag != 0 {
		// The message itself is there, and none of those after it is hidden.
		return rd.met && (rd.hidden == 0 || rd.before.sequence <= r.From.Offset) && rd.at.stream.profile.Size > 0
	}
	return rd.hidden == 0 && !rd.skips && rd.at.stream.profile.Size > 0 && rd.at.whole(r.From)
}
