package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/redis"
)

func FuzzParseRecord(f *testing.F) {
	m := broker.Message{Position: broker.Position{Offset: 7, Tag: 1 << 63}, PrevTag: 3, Key: "key", From: "ada", At: time.UnixMilli(1), Data: []byte("data")}
	whole := redis.NewRecord(m, [8]byte{1, 2, 3})
	f.Add(whole)
	f.Add(whole[:38])
	f.Add(whole[:20])
	f.Add(strings.Repeat("m", 38) + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := redis.ParseRecord("r", text)
		if err != nil {
			return
		}
		if _, err := broker.ParsePosition(m.Position.String()); err != nil || m.Prev+1 != m.Position.Offset || m.Position.IsEmpty() {
			t.Fatalf("%+v: %v", m, err)
		}
		if again := redis.NewRecord(m, [8]byte([]byte(text[1:9]))); again != text && len(again) >= len(text) {
			t.Fatalf("%q comes back as %q", text, again)
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	f.Add(redis.NewFrame('s', 1<<63, "node", "data"))
	f.Add("s\x00\x00\x00\x00\x00\x00\x00\x00\xff")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		kind, id, name, rest, err := redis.ParseFrame(text)
		if err != nil {
			return
		}
		if again := redis.NewFrame(kind, id, name, rest); again != text && len(again) >= len(text) {
			t.Fatalf("%q comes back as %q", text, again)
		}
	})
}

func FuzzParseHead(f *testing.F) {
	f.Add(strings.Repeat("\x00", 44))
	f.Add(strings.Repeat("\xff", 44))
	f.Add("short")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := redis.ParseHead(text)
		if (err == nil) != (len(text) == 44) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil {
			if _, err := broker.ParsePosition(p.String()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzParseChannel(f *testing.F) {
	for partition := range 4 {
		f.Add(redis.NewChannel(partition, 'r', "room}{x"))
	}
	f.Add("finch@2:r:{0}")
	f.Add("finch@2:")
	f.Fuzz(func(t *testing.T, channel string) {
		kind, partition, of, ok := redis.ParseChannel(channel)
		if !ok {
			return
		}
		if again := redis.NewChannel(partition, kind, of); again != channel {
			t.Fatalf("%q comes back as %q", channel, again)
		}
	})
}

func FuzzParseMember(f *testing.F) {
	f.Add("node abc")
	f.Add(" ")
	f.Fuzz(func(t *testing.T, member string) {
		if n, ok := redis.ParseMember(member); ok && redis.MemberOf(n) != member {
			t.Fatalf("%q comes back as %q", member, redis.MemberOf(n))
		}
	})
}

func TestChannelsComeBack(t *testing.T) {
	for partition := range 4 {
		for _, of := range []string{"", "room", "a}b{c", "\x00\xff", "سلام", ":{0}"} {
			kind, p, got, ok := redis.ParseChannel(redis.NewChannel(partition, 'r', of))
			if !ok || kind != 'r' || p != partition || got != of {
				t.Errorf("partition %d, %q: %c, %d, %q, %v", partition, of, kind, p, got, ok)
			}
		}
	}
}

func TestVersionsThatServe(t *testing.T) {
	for version, serves := range map[string]bool{"7.0.0": true, "7.0.15": true, "8.2.1": true, "10.0": true, "6.2.14": false, "": false, "x": false} {
		if err := redis.RefuseInfo("# Server\r\nredis_version:" + version + "\r\n"); (err == nil) != serves {
			t.Errorf("%q: %v", version, err)
		}
	}
}

// TestPartitionsAreSpreadEvenly: a tag's slot lies in its part of all slots, so
// that masters with equal ranges have equally many partitions.
func TestPartitionsAreSpreadEvenly(t *testing.T) {
	for _, n := range []int{1, 2, 3, 64, 100, 1024} {
		of := redis.Slots(redis.Options{Partitions: n})
		for i, slot := range of[:n] {
			if int(slot)*n/16384 != i {
				t.Errorf("partition %d of %d has slot %d", i, n, slot)
			}
		}
	}
}
