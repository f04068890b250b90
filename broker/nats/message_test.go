package nats_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/finch-go/finch/broker/nats"
)

func TestStoredHeaders(t *testing.T) {
	h, err := nats.ParseHeader([]byte("NATS/1.0\r\nFinch-Tag: 1f\r\nFinch-From:ann\r\nA: 1\r\nA: 2\r\n\r\n"))
	if err != nil || len(h) != 3 || h["Finch-Tag"][0] != "1f" || h["Finch-From"][0] != "ann" || len(h["A"]) != 2 {
		t.Errorf("%v, %v", h, err)
	}
	if h, err := nats.ParseHeader(nil); err != nil || len(h) != 0 {
		t.Errorf("no header: %v, %v", h, err)
	}
	for _, raw := range []string{"x", "HTTP/1.1\r\n\r\n", "NATS/1.0\r\nno colon\r\n\r\n", "NATS/1.0"} {
		if h, err := nats.ParseHeader([]byte(raw)); err == nil {
			t.Errorf("%q is %v", raw, h)
		}
	}
}

func FuzzStoredHeaders(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\nFinch-Tag: 1f\r\n\r\n"))
	f.Add([]byte("NATS/1.0 204 EOB\r\nA:\r\n\r\n"))
	f.Add([]byte("NATS/1.0\r\n:\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := nats.ParseHeader(raw)
		if err != nil && h != nil {
			t.Fatal("headers and an error")
		}
		n := 0
		for key, values := range h {
			n += len(key) * len(values)
		}
		if n > len(raw) {
			t.Fatalf("%d bytes of keys from %d", n, len(raw))
		}
	})
}

func TestTagOfAMessageThatFinchDidNotWrite(t *testing.T) {
	const at, later = "2026-01-01T00:00:00.000000001Z", "2026-01-01T00:00:00.000000002Z"
	if nats.TagOf("1f", at) != 0x1f {
		t.Error("a tag is not its own")
	}
	for _, tag := range []string{"", "0", "zz", "10000000000000000"} {
		a, b := nats.TagOf(tag, at), nats.TagOf(tag, later)
		if a == 0 || a == b || a != nats.TagOf(tag, at) {
			t.Errorf("%q: %x and %x", tag, a, b)
		}
	}
}

func TestPublishKeysOfDifferentScopesDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, parts := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"", "", "abc"}, {"abc", "", ""}, {strings.Repeat("a", 200), "b", "c"}} {
		id := nats.KeyID(parts[0], parts[1], parts[2])
		if other, ok := seen[id]; ok || len(id) != 22 {
			t.Errorf("%q has the id %q, as %s", parts, id, other)
		}
		seen[id] = fmt.Sprint(parts)
	}
}

// The partition of a room is on disk: another hash would lose all history.
func TestPartitionsOfRoomsStayWhatTheyWere(t *testing.T) {
	for room, want := range map[string]int{"": 5, "r": 5, "chat:7": 4, "سلام": 6, "\xff\x00": 2} {
		if got := nats.PartitionOf(room, 8); got != want {
			t.Errorf("%q is in partition %d, and was in %d", room, got, want)
		}
	}
	counts := make([]int, 8)
	for i := range 8000 {
		counts[nats.PartitionOf(fmt.Sprint("room-", i), 8)]++
	}
	for p, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("partition %d has %d of 8000 rooms", p, n)
		}
	}
}

func FuzzMarks(f *testing.F) {
	for _, seed := range []string{"", "life.0.0.1.2.3", "life.zz.10.1.2.3", "...", "life.0.0.1.2.-3", "life.0.0.1.2.3.4", "life.0.0.1.2.zzzzzzzzzzzzzz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		again, ok := nats.ReadMark(text, 3)
		if !ok {
			return
		}
		if third, ok := nats.ReadMark(again, 3); !ok || third != again {
			t.Fatalf("%q becomes %q, and that %q", text, again, third)
		}
	})
}

func TestVersionsOfServers(t *testing.T) {
	for version, want := range map[string]bool{"2.11.0": true, "2.10.29": false, "3.0.0-beta": true, "v2.12.1": true, "2": false, "": false, "x.y.z": false, "1.99.0": false, "2.11": true} {
		if got := nats.AtLeast(version, 2, 11); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestSecretsOfURLsAreNotShown(t *testing.T) {
	for urls, want := range map[string]string{
		"nats://a:1":                      "nats://a:1",
		"nats://ann:se:s@me@a:1,tls://b":  "nats://***@a:1,tls://b",
		"token@a,b":                       "***@a,b",
		"nats://u:p@a:1, nats://u:p@b:2 ": "nats://***@a:1, nats://***@b:2 ",
	} {
		if got := nats.Redacted(urls); got != want {
			t.Errorf("%q is shown as %q, want %q", urls, got, want)
		}
	}
}
