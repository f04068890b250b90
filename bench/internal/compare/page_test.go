package compare_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/bench/internal/compare"
)

func TestThePageShowsWhoIsCheaperAndWhoIsNot(t *testing.T) {
	var samples []compare.Sample
	for round := range 3 {
		for server, figure := range map[string]float64{"finch": 2, "gws": 8, "raw": 1} {
			samples = append(samples, compare.Sample{Row: "fanout-16", Server: server, Round: round, Figure: figure * float64(round+1), P99: 3 * time.Millisecond, Faulty: server == "gws" && round == 1})
		}
	}
	page, persian := compare.Pages("fanout-16", samples, map[string]string{"bun": "it was not there"})
	for _, want := range []string{
		"## Fan-out, 16 in flight", "3 rounds; less is better",
		"| **Finch** | 4.00 µs |  |  | 3.00 ms |",
		"| 16.0 µs | 4.00 | 4.00 to 4.00 | 3.00 ms |",
		"| raw loop | 2.00 µs | 0.50 |",
		"dropped sockets in 1 of 3 rounds", "- Bun (uWebSockets): it was not there", "1,000 members", "| gws v1 | 16.0 µs",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
	for _, want := range []string{"<div dir=\"rtl\">\n\n#", "۱٬۰۰۰ عضو", "۳ دور؛", "| &lrm;gws v1 | &lrm;16.0 µs | 4.00 | &lrm;4.00–4.00 | &lrm;3.00 ms |", "در ۱ دور از ۳ دور", "\n\n</div>\n"} {
		if !strings.Contains(persian, want) {
			t.Errorf("the Persian page does not say %q:\n%s", want, persian)
		}
	}
	if strings.Index(page, "| raw loop") > strings.Index(page, "| **Finch**") {
		t.Error("the cheapest does not come first")
	}
}

func TestRowsAndServersAreChosenByName(t *testing.T) {
	got, err := compare.Choose(compare.Options{Rows: "idle,fanout-15000", Servers: "finch,bun", Rounds: 1})
	if want := []string{"idle", "fanout-15000", "finch", "bun"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	all, err := compare.Choose(compare.Options{Rounds: 1})
	if err != nil || slices.Contains(all, "fanout-15000") || !slices.Contains(all, "handshake") || !slices.Contains(all, "socket.io") {
		t.Errorf("without names: %v, %v", all, err)
	}
	for _, o := range []compare.Options{{Rows: "idel"}, {Servers: "finhc"}} {
		if _, err := compare.Choose(o); err == nil || !strings.Contains(err.Error(), "they are") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestEachLanguageNamesEveryRowAndServer(t *testing.T) {
	if untold := compare.Untold(); len(untold) > 0 {
		t.Errorf("no words for %v", untold)
	}
}

func TestPagesCanBeMadeAgainFromSamples(t *testing.T) {
	samples := []compare.Sample{{Row: "idle", Server: "finch", Figure: 1.5}, {Row: "echo-1", Server: "bun", Round: 3, Figure: 7, P99: time.Second, Generator: 0.5, Faulty: true}}
	got, err := compare.SaveAndLoad(filepath.Join(t.TempDir(), "samples.json"), samples)
	if err != nil || !slices.Equal(got, samples) {
		t.Errorf("got %+v, %v", got, err)
	}
}
