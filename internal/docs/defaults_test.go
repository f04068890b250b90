package docs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/finchtest"
	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/feed"
	"github.com/finch-go/finch/protocol"
)

// greeting is what a server with all defaults says of its limits.
type greeting struct {
	Heartbeat int64
	Limits    struct {
		MessageBytes int `json:"message_bytes"`
		JSONDepth    int `json:"json_depth"`
	}
}

// TestDefaultsOfThePagesAreThoseOfTheCode looks for each value in the second
// column of docs/en/defaults.md and docs/fa/defaults.md. Values that the code
// does not tell are compared with its text: a change there must be made in the
// pages and here.
func TestDefaultsOfThePagesAreThoseOfTheCode(t *testing.T) {
	var hello greeting
	synctest.Test(t, func(t *testing.T) {
		c := finchtest.Connect(t, finch.NewSocketManager(nil), finch.Identity{})
		var err error
		if hello, err = finchtest.Request[greeting](c, protocol.PathHello, map[string]int{"version": 1}); err != nil {
			t.Fatal(err)
		}
	})
	ready := conn.Config{}.Ready()
	rows := []struct {
		english, persian string // the first column; no Persian: the same
		value, valued    string // the second column, and in Persian if that is another
		file, code       string // where the value stands, if nothing tells it
	}{
		{english: "`MessageBytes`", value: size(hello.Limits.MessageBytes)},
		{english: "`QueueBytes`", value: size(ready.QueueBytes)},
		{english: "`NodeBytes`", value: "512 MiB", file: "internal/hub/hub.go", code: "512 << 20"},
		{english: "`InboxBytes`", value: size(ready.InboxBytes)},
		{english: "`InboxMessages`", value: fmt.Sprint(ready.InboxMessages)},
		{english: "`JSONDepth`", value: fmt.Sprint(hello.Limits.JSONDepth)},
		{english: "`MessagesPerSecond`", value: "1,000", file: "limits.go", code: "orDefault(l.MessagesPerSecond, 1000)"},
		{english: "`BytesPerSecond`", value: "1 MiB", file: "limits.go", code: "orDefault(l.BytesPerSecond, 1<<20)"},
		{english: "`RoomsPerSocket`", value: "256", file: "limits.go", code: "orDefault(l.RoomsPerSocket, 256)"},
		{english: "`SocketsPerAddress`", value: "none", valued: "بی سقف", file: "addresses.go", code: "if limit <= 0 ||"},
		{english: "`Handshakes`", value: "1,000", file: "limits.go", code: "orDefault(l.Handshakes, 1000)"},
		{english: "`Heartbeat`", value: span(time.Duration(hello.Heartbeat) * time.Millisecond)},
		{english: "time to answer a ping", persian: "مهلت پاسخ به پینگ", value: span(ready.PongWait)},
		{english: "time without taking a byte of what is written", persian: "مهلت برداشتن حتی یک بایت از آنچه نوشته می‌شود", value: span(ready.WriteWait)},
		{english: "each step of closing", persian: "هر گام بستن", value: span(ready.CloseWait)},
		{english: "time unread because its handlers do not keep up", persian: "زمان خوانده نشدن، چون تابع‌هایش نمی‌رسند", value: span(ready.StallWait)},
		{english: "time to send the request's headers (`App.Start`, `App.Serve`)", persian: "مهلت فرستادن سرایندهای درخواست (`App.Start` و `App.Serve`)",
			value: "10 s", file: "app.go", code: "ReadHeaderTimeout: 10 * time.Second"},
		{english: "time between two requests on one HTTP connection (`App.Start`, `App.Serve`)", persian: "فاصلهٔ دو درخواست روی یک اتصال HTTP (`App.Start` و `App.Serve`)",
			value: "2 min", file: "app.go", code: "IdleTimeout:       2 * time.Minute"},
		{english: "`ShutdownWait`", value: "20 s", file: "app.go", code: "a.shutdownWait = 20 * time.Second"},
		{english: "`Grace`", value: "15 s", file: "manager.go", code: "cmp.Or(o.Grace, 15*time.Second)"},
		{english: "`TicketAge`", value: "24 h", file: "manager.go", code: "cmp.Or(o.TicketAge, 24*time.Hour)"},
		{english: "`DrainWindow`", value: "as long as the next server needs", valued: "به اندازهٔ نیاز سرور بعدی", file: "drain.go", code: "drainRate = 1000"},
		{english: "time for the answer of `finch.join`, `finch.history` and `finch.presence`", persian: "مهلت پاسخ `finch.join` و `finch.history` و `finch.presence`",
			value: "10 s", file: "membership.go", code: "joinTimeout = 10 * time.Second"},
		{english: "time for the answer of `finch.publish`", persian: "مهلت پاسخ `finch.publish`", value: "5 s", file: "publish.go", code: "publishTimeout = 5 * time.Second"},
		{english: "`CanJoin`", value: "no client", valued: "هیچ کلاینتی", file: "membership.go", code: "case d.CanJoin == nil:"},
		{english: "`CanPublish`", value: "no client", valued: "هیچ کلاینتی", file: "publish.go", code: "case d.CanPublish == nil:"},
		{english: "`HistorySize`", value: "none", valued: "هیچ", file: "history.go", code: "case d.HistorySize == 0:"},
		{english: "a room that is published to and not declared", persian: "اتاقی که در آن منتشر می‌کنند و اعلام نشده",
			value:  fmt.Sprintf("%d messages, %s", broker.DefaultProfile.Size, span(broker.DefaultProfile.Age)),
			valued: "۱۰۰ پیام، ۵ دقیقه"},
		{english: "`Behind`", value: "`Resync` with history, `CloseSlow` without", valued: "با تاریخچه `Resync`، بی آن `CloseSlow`",
			file: "declaration.go", code: "d.Behind == BehindDefault && d.HistorySize == 0"},
		{english: "histories of all rooms in memory", persian: "تاریخچهٔ همهٔ اتاق‌ها در حافظه", value: "256 MiB", file: "broker/memory/cluster.go", code: "orDefault(o.MaxBytes, 256<<20)"},
		{english: "how long a publish key is remembered", persian: "کلید انتشار چقدر به یاد می‌ماند", value: span(memory.New(nil).Caps().DedupeWindow)},
		{english: "how many keys are remembered", persian: "چند کلید به یاد می‌ماند", value: "1,000,000", file: "broker/memory/cluster.go", code: "orDefault(o.MaxKeys, 1_000_000)"},
		{english: "messages that a client which comes back gets at once", persian: "پیام‌هایی که کلاینت بازگشته یک‌جا می‌گیرد",
			value: fmt.Sprint(feed.Limits{}.WithDefaults().Replay)},
		{english: "what a member shows of itself", persian: "آنچه عضو از خود نشان می‌دهد", value: "1 KiB", file: "presencewatch.go", code: "maxPresenceData = 1024"},
		{english: "`Level`", value: "1", file: "compression.go", code: "defaultLevel     = 1"},
		{english: "`Threshold`", value: "512 bytes", file: "compression.go", code: "defaultThreshold = 512"},
		{english: "`Addr`", value: "`:3000`", file: "app.go", code: `orElse(o.Addr, ":3000")`},
		{english: "`BodyBytes`", value: size(bodyBytes(t))},
		{english: "bytes of an event path", persian: "بایت‌های نام رویداد", value: fmt.Sprint(protocol.MaxPathBytes)},
		{english: "bytes of a room's name", persian: "بایت‌های نام اتاق", value: "256", file: "room.go", code: "maxRoomName = 256"},
		{english: "refusals that nobody asked for", persian: "ردهایی که کسی نپرسیده بود", value: "8, then 1 a second", valued: "۸ تا، سپس ۱ در ثانیه", file: "rate.go", code: "allowanceBurst = 8"},
	}
	english, persian := defaultsPage(t, "docs/en/defaults.md"), defaultsPage(t, "docs/fa/defaults.md")
	for _, row := range rows {
		if row.persian == "" {
			row.persian = row.english
		}
		if row.valued == "" {
			row.valued = row.value
		}
		if got := english[row.english]; got != row.value {
			t.Errorf("docs/en/defaults.md says %q of %s, and the code %q", got, row.english, row.value)
		}
		if got := persian[row.persian]; got != row.valued {
			t.Errorf("docs/fa/defaults.md says %q of %s, and the code %q", got, row.persian, row.valued)
		}
		if row.file == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, row.file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), row.code) {
			t.Errorf("%s no longer says %q: see to %s in the pages and in this test", row.file, row.code, row.english)
		}
	}
}

// defaultsPage reads the tables of a page: the second column by the first.
func defaultsPage(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.ReplaceAll(line, "&lrm;", "")
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			values[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[2])
		}
	}
	return values
}

// size writes bytes as the pages do.
func size(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprint(n)
}

// span writes a time as the pages do.
func span(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// bodyBytes asks an App with all defaults for the largest body that it takes.
func bodyBytes(t *testing.T) int {
	t.Helper()
	app := finch.NewApp(nil)
	app.AddRoute(finch.Route{Path: "/", Methods: []string{http.MethodPost}, Index: func(rq *finch.Request) error {
		var s string
		return rq.DecodeJSON(&s)
	}})
	takes := func(n int) bool {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`"`+strings.Repeat("a", n-2)+`"`)))
		return w.Code != http.StatusRequestEntityTooLarge
	}
	n := 1 << 10
	for takes(2 * n) {
		if n *= 2; n > 1<<30 {
			t.Fatal("there seems to be no bound")
		}
	}
	if takes(n + 1) {
		t.Fatalf("the bound is no power of two: between %d and %d", n, 2*n)
	}
	return n
}
