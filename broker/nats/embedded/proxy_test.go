package embedded_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
)

// A proxy stands between nodes and a server, and loses what the server sends as
// a test says.
type proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	lose  func(subject, header, data string) bool
	edit  func(header string) string // to one of the same length
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: strings.TrimPrefix(target, "nats://")}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// losing sets what is lost from now on.
func (p *proxy) losing(lose func(subject, header, data string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = lose
}

// rewriting sets how headers are changed from now on.
func (p *proxy) rewriting(edit func(header string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.edit = edit
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() {
			io.Copy(server, client)
			server.Close()
		})
		p.wg.Go(func() {
			p.sift(client, bufio.NewReaderSize(server, 64<<10))
			client.Close()
		})
	}
}

// sift passes on what the server sends, less what is to be lost.
func (p *proxy) sift(client io.Writer, server *bufio.Reader) {
	for {
		line, err := server.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(line)
		var body []byte
		if len(fields) > 3 && (fields[0] == "MSG" || fields[0] == "HMSG") {
			size, err := strconv.Atoi(fields[len(fields)-1])
			if err != nil {
				return
			}
			body = make([]byte, size+2)
			if _, err := io.ReadFull(server, body); err != nil {
				return
			}
			header := 0
			if fields[0] == "HMSG" {
				header, _ = strconv.Atoi(fields[len(fields)-2])
			}
			p.mu.Lock()
			lost := p.lose != nil && p.lose(fields[1], string(body[:header]), string(body[header:size]))
			if p.edit != nil {
				copy(body, p.edit(string(body[:header])))
			}
			p.mu.Unlock()
			if lost {
				continue
			}
		}
		if _, err := client.Write(append([]byte(line), body...)); err != nil {
			return
		}
	}
}

// TestSubscriptionThatDiedSilentlyIsFound: the connection works, publishes are
// acknowledged, and nothing that is live comes.
func TestSubscriptionThatDiedSilentlyIsFound(t *testing.T) {
	t.Parallel() // it waits for two soundings
	c := newCluster(t, 1, nil)
	p := newProxy(t, c.url(0))
	in := &news{}
	b := nats.New(nats.Options{URL: p.url(), Logger: quiet})
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, b)
	open(t, b, "r")
	_, before := in.since(0)
	p.losing(func(subject, _, _ string) bool { return strings.HasPrefix(subject, "finch.l.") })
	missed := publish(t, b, "r", "missed", broker.PublishOptions{})
	eventually(t, "doubt", func() bool {
		came, _ := in.since(before)
		return len(came) > 0
	})
	p.losing(nil)
	if heads, _, err := b.Heads(t.Context(), []string{"r"}, ""); err != nil || heads[0].Position != missed {
		t.Errorf("the head is %v, %v; want %v", heads, err, missed)
	}
	came, _ := in.since(before)
	if strings.Contains(strings.Join(came, " "), "message missed") {
		t.Fatal("it was not missed")
	}
	publish(t, b, "r", "heard", broker.PublishOptions{})
	eventually(t, "what is live", func() bool { return in.when("message heard", time.Time{}) >= 0 })
}

// TestPageThatIsNotWholeIsReadAgain: a replica sends as fast as it can, and what
// does not fit is lost on the way.
func TestPageThatIsNotWholeIsReadAgain(t *testing.T) {
	c := newCluster(t, 1, nil)
	p := newProxy(t, c.url(0))
	b := nats.New(nats.Options{URL: p.url(), Logger: quiet, Timeout: 2 * time.Second})
	start(t, b, "n")
	var all []broker.Position
	for i := range 20 {
		all = append(all, publish(t, b, "r", fmt.Sprint(i), broker.PublishOptions{}))
	}
	for _, tt := range []struct {
		name string
		lost func(sequence string, end bool) bool
	}{
		{"a message in the middle", func(sequence string, _ bool) bool { return sequence == fmt.Sprint(all[7].Offset) }},
		{"the first message", func(sequence string, _ bool) bool { return sequence == fmt.Sprint(all[0].Offset) }},
		{"the last message", func(sequence string, _ bool) bool { return sequence == fmt.Sprint(all[19].Offset) }},
		{"the end", func(_ string, end bool) bool { return end }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			times := 0
			p.losing(func(subject, header, _ string) bool {
				_, sequence, _ := strings.Cut(header, "Nats-Sequence: ")
				sequence, _, _ = strings.Cut(sequence, "\r\n")
				lost := strings.HasPrefix(subject, "_INBOX") && times < 2 && tt.lost(sequence, strings.Contains(header, "204 EOB"))
				if lost {
					times++
				}
				return lost
			})
			page := read(t, b, "r", broker.Range{From: all[0], Until: all[19].Offset})
			if after, err := page.Follow(all[0], all[19].Offset); err != nil || len(after) != 19 {
				t.Errorf("%d messages, %v", len(after), err)
			}
			if times != 2 {
				t.Errorf("it was lost %d times", times)
			}
		})
	}
	p.losing(func(_, header, _ string) bool { return strings.Contains(header, "204 EOB") })
	if page, err := b.Read(t.Context(), "r", broker.Range{}); err == nil {
		t.Errorf("a page of %d whose end never came was returned", len(page.Messages))
	}
	p.losing(nil)
}

// TestReplicaThatIsBehindIsAskedAgain: a replica answers as if the last messages
// were not there.
func TestReplicaThatIsBehindIsAskedAgain(t *testing.T) {
	c := newCluster(t, 1, nil)
	p := newProxy(t, c.url(0))
	b := nats.New(nats.Options{URL: p.url(), Logger: quiet, Partitions: 1})
	start(t, b, "n")
	rooms := []string{}
	for i := range 10 {
		rooms = append(rooms, fmt.Sprint(i))
		publish(t, b, rooms[i], "1", broker.PublishOptions{})
	}
	_, mark, err := b.Heads(t.Context(), rooms, "")
	if err != nil {
		t.Fatal(err)
	}
	last := publish(t, b, "3", "2", broker.PublishOptions{})
	times := 0
	// Without the messages, and with an end that says so: the sequence is that of
	// some time ago.
	p.rewriting(func(header string) string {
		at := strings.Index(header, "Nats-UpTo-Sequence: ")
		if at < 0 || times == 2 {
			return header
		}
		times++
		digits := at + len("Nats-UpTo-Sequence: ")
		return header[:digits] + "1" + strings.Repeat("0", 10) + header[digits+11:]
	})
	heads, _, err := b.Heads(t.Context(), rooms, mark)
	if err != nil || len(heads) != 1 || heads[0].Position != last {
		t.Errorf("heads %v, %v; want that of one room, %v", heads, err, last)
	}
	if times != 2 {
		t.Errorf("%d answers were made old", times)
	}

	first := publish(t, b, "r", "1", broker.PublishOptions{})
	second := publish(t, b, "r", "2", broker.PublishOptions{})
	third := publish(t, b, "r", "3", broker.PublishOptions{})
	times = 0
	p.losing(func(subject, header, _ string) bool {
		return times < 2 && strings.HasPrefix(subject, "_INBOX") && strings.Contains(header, fmt.Sprintf("Nats-Sequence: %d\r", third.Offset))
	})
	p.rewriting(func(header string) string {
		if times == 2 || !strings.Contains(header, "204 EOB") {
			return header
		}
		times++
		return strings.Replace(header, fmt.Sprint("Nats-Last-Sequence: ", third.Offset), fmt.Sprint("Nats-Last-Sequence: ", second.Offset), 1)
	})
	page := read(t, b, "r", broker.Range{From: first}) // the caller does not know how far it goes
	if after, err := page.Follow(first, third.Offset); err != nil || len(after) != 2 || page.Head != third {
		t.Errorf("%d messages, %v, head %v", len(after), err, page.Head)
	}
	if times != 2 {
		t.Errorf("%d pages were made old", times)
	}
}

// TestPurgeThatWasNotHeardIsSeen: the news of a purge is lost like any other; who
// asks for heads sees it all the same.
func TestPurgeThatWasNotHeardIsSeen(t *testing.T) {
	c := newCluster(t, 1, nil)
	p := newProxy(t, c.url(0))
	deafened := nats.New(nats.Options{URL: p.url(), Logger: quiet})
	start(t, deafened, "deafened")
	other := nats.New(nats.Options{URL: c.url(0), Logger: quiet})
	start(t, other, "other")
	old := publish(t, other, "r", "1", broker.PublishOptions{})
	_, mark, err := deafened.Heads(t.Context(), []string{"r"}, "")
	if err != nil {
		t.Fatal(err)
	}
	p.losing(func(subject, _, _ string) bool { return strings.HasPrefix(subject, "finch.w.epoch.") })
	if err := other.Purge(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	heads, _, err := deafened.Heads(t.Context(), []string{"r"}, mark)
	if err != nil || len(heads) != 1 || heads[0].Position.Epoch == old.Epoch {
		t.Errorf("the heads are %v, %v; before the purge %v", heads, err, old)
	}
}
