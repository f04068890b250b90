package finch_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch"
)

func FuzzRecord(f *testing.F) {
	f.Add(finch.AppendRecord("say", 200, "id", "name", false, []byte(`{"a":1}`)))
	f.Add(finch.AppendRecord("say", 599, "", "", true, []byte{0, 1, 2}))
	f.Add([]byte{1, 0, 200, 1, 3, 's', 'a', 'y', 0, 0, 'x'})
	f.Add([]byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{2})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := finch.RewriteRecord(b)
		if err != nil {
			return
		}
		twice, err := finch.RewriteRecord(again)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("%q is read and written as %q, and that as %q, %v", b, again, twice, err)
		}
	})
}

func FuzzNews(f *testing.F) {
	for kind := range byte(6) {
		f.Add(append([]byte{1, kind, 2, 'i', 'd', 0}, "body"...))
	}
	f.Add([]byte{1, 1, 200})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := finch.RewriteNews(b)
		if err != nil {
			return
		}
		twice, err := finch.RewriteNews(again)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("%q is read and written as %q, and that as %q, %v", b, again, twice, err)
		}
	})
}

func FuzzTicket(f *testing.F) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := finch.SealTicket("session", "ann", []string{"a", "b"}, now.Add(time.Hour))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(strings.ToUpper(good))
	f.Add("")
	f.Add("====")
	f.Fuzz(func(t *testing.T, text string) {
		session, user, err := finch.OpenTicket(text, now)
		// Whoever fuzzes in another process has another nonce, so what opens may be
		// any ticket of this secret; there are only such.
		if text == good && err != nil || err == nil && (session != "session" || user != "ann") {
			t.Fatalf("%q is opened: %q of %q, %v", text, session, user, err)
		}
	})
}

// FuzzTicketBody reads what only who has the secret could write.
func FuzzTicketBody(f *testing.F) {
	f.Add([]byte{0, 1, 's', 1, 'u', 1, 'n', 1, 'r'})
	f.Add([]byte{0x80, 0x80})
	f.Add([]byte{0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) { finch.OpenTicketBody(b) })
}

func FuzzRoomPattern(f *testing.F) {
	for _, s := range []string{"lobby", "chat:{id}", "org/{org}/{rest...}", "{a", "{}", "{a...}/b", ":", "/", "a:/b"} {
		f.Add(s, "chat:7")
		f.Add("{x}/{y}", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ab, ba, ok := finch.ComparePatterns(a, b)
		if !ok {
			return
		}
		if opposite := map[string]string{"narrower": "wider", "wider": "narrower"}[ab]; opposite == "" && ab != ba || opposite != "" && opposite != ba {
			t.Fatalf("%q is %s than %q, and that is %s", a, ab, b, ba)
		}
		if !strings.ContainsAny(b, "{}") { // a literal is a name
			if matches := finch.PatternMatches(a, b); matches != (ab == "wider" || ab == "equal") {
				t.Fatalf("%q matches %q: %v, and is %s", a, b, matches, ab)
			}
		}
	})
}
