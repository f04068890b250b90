package servers

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// Connect makes a connection to a server of this process.
func Connect(t testing.TB, to natsgo.InProcessConnProvider) *natsgo.Conn {
	t.Helper()
	conn, err := natsgo.Connect("", natsgo.InProcessServer(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// API asks JetStream something.
func API(t testing.TB, conn *natsgo.Conn, endpoint string, question, answer any) {
	t.Helper()
	var body []byte
	if question != nil {
		body, _ = json.Marshal(question)
	}
	// With a context: the client's other requests share timers between bubbles.
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	m, err := conn.RequestWithContext(ctx, "$JS.API."+endpoint, body)
	if err != nil {
		t.Fatalf("%s: %v", endpoint, err)
	}
	var refusal struct {
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &refusal); err != nil || refusal.Error != nil {
		t.Fatalf("%s: %s, %v", endpoint, m.Data, err)
	}
	if answer != nil {
		if err := json.Unmarshal(m.Data, answer); err != nil {
			t.Fatal(err)
		}
	}
}

// Streams lists the history streams of a namespace.
func Streams(t testing.TB, conn *natsgo.Conn, ns string) []string {
	t.Helper()
	var names struct{ Streams []string }
	API(t, conn, "STREAM.NAMES", map[string]int{}, &names)
	var of []string
	for _, name := range names.Streams {
		if strings.HasPrefix(name, ns+"_h_") {
			of = append(of, name)
		}
	}
	return of
}

// LoseTail removes the last n messages of a room, whose name is its token.
func LoseTail(t testing.TB, conn *natsgo.Conn, ns, room string, n int) {
	t.Helper()
	for _, stream := range Streams(t, conn, ns) {
		subject := strings.ReplaceAll(strings.TrimPrefix(stream, ns+"_h_"), "_", ".")
		subject = ns + ".h." + subject + "." + room
		var info struct {
			State struct{ Subjects map[string]int }
		}
		API(t, conn, "STREAM.INFO."+stream, map[string]string{"subjects_filter": subject}, &info)
		if info.State.Subjects[subject] == 0 {
			continue
		}
		for range n {
			var last struct {
				Message struct {
					Seq uint64 `json:"seq"`
				} `json:"message"`
			}
			API(t, conn, "STREAM.MSG.GET."+stream, map[string]string{"last_by_subj": subject}, &last)
			API(t, conn, "STREAM.MSG.DELETE."+stream, map[string]any{"seq": last.Message.Seq}, nil)
		}
		return
	}
	t.Fatalf("room %q is nowhere", room)
}

// AllCurrent reports whether all replicas of streams have what the leader has.
func AllCurrent(conn *natsgo.Conn, streams ...string) bool {
	for _, stream := range streams {
		m, err := conn.Request("$JS.API.STREAM.INFO."+stream, nil, time.Second)
		var info struct {
			Cluster *struct {
				Leader   string
				Replicas []struct {
					Current bool
					Offline bool
				}
			}
		}
		if err != nil || json.Unmarshal(m.Data, &info) != nil || info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != 2 {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return false
			}
		}
	}
	return true
}

// CopyDir makes to a copy of from, and nothing else.
func CopyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
