package demo_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

const aBrowser = "a-browser-that-nobody-guesses"

// share connects as the tabs of a browser do.
func share(t *testing.T, app http.Handler, browser string) *finchtest.Client {
	t.Helper()
	return finchtest.ConnectRequest(t, app, finchtest.NewRequest("ws://localhost:3000/tabs?browser="+browser))
}

func note(c *finchtest.Client, browser string, n demo.Note, key string) error {
	_, _, err := c.Publish("notes:"+browser, "note", n, key)
	return err
}

func TestABrowserIsToldHowManySocketsItHas(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		want := func(c *finchtest.Client, n int) {
			t.Helper()
			var got demo.BrowserSockets
			if c.Expect("sockets", &got); got.Sockets != n {
				t.Errorf("it is told of %d sockets, not %d", got.Sockets, n)
			}
		}
		first := share(t, app, aBrowser)
		want(first, 1)
		second := share(t, app, aBrowser)
		want(first, 2)
		want(second, 2)
		share(t, app, "another-browser-of-somebody")
		if now, err := finchtest.Request[demo.BrowserSockets](first, "sockets", nil); err != nil || now.Sockets != 2 {
			t.Errorf("asked, it is told of %+v, %v", now, err)
		}
		second.Close(1000, "")
		want(first, 1)
	})
}

func TestNotesStayInTheirBrowser(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		mine := share(t, app, aBrowser)
		if _, err := mine.Join("notes:" + aBrowser); err != nil {
			t.Fatal(err)
		}
		mine.Skip()
		if err := note(mine, aBrowser, demo.Note{Tab: "ab", N: 1, Text: "سلام"}, "one"); err != nil {
			t.Fatal(err)
		}
		var got demo.Note
		if mine.Expect("note", &got); got != (demo.Note{Tab: "ab", N: 1, Text: "سلام"}) {
			t.Errorf("the note is %+v", got)
		}
		other := share(t, app, "another-browser-of-somebody")
		_, err := other.Join("notes:" + aBrowser)
		expectRefusal(t, "another browser's notes", err, 403, "not_yours")
	})
}

func TestNotesThatNoPageShowsAreRefused(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c := share(t, app, aBrowser)
		if _, err := c.Join("notes:" + aBrowser); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name, code string
			note       any
			status     int
		}{
			{"no number", "bad_data", demo.Note{Tab: "ab", Text: "x"}, 422},
			{"a long name of a tab", "bad_data", demo.Note{Tab: "abc", N: 1, Text: "x"}, 422},
			{"more than it has", "bad_data", map[string]any{"tab": "ab", "n": 1, "html": "<b>"}, 422},
			{"a long text", "bad_text", demo.Note{Tab: "ab", N: 1, Text: strings.Repeat("x", 201)}, 422},
			{"many bytes", "too_large", map[string]any{"tab": "ab", "n": 1, "text": strings.Repeat("x", 5000)}, 413},
		} {
			_, _, err := c.Publish("notes:"+aBrowser, "note", row.note, row.name)
			expectRefusal(t, row.name, err, row.status, row.code)
		}
		_, _, err := c.Publish("notes:"+aBrowser, "other", demo.Note{Tab: "ab", N: 1}, "path")
		expectRefusal(t, "another path", err, 403, "forbidden")
	})
}

func TestWhoAsksForNoBrowserIsRefused(t *testing.T) {
	app := demo.New(nil)
	for _, browser := range []string{"", "short", strings.Repeat("a", 65), "with%20space-and-more-of-it", "UPPERCASE-IS-NOT-DRAWN"} {
		w := get(t, app, "/tabs?browser="+browser, "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		if w.Code != 422 || !strings.Contains(w.Body.String(), "which browser") {
			t.Errorf("%q: %d %s", browser, w.Code, w.Body)
		}
	}
}
