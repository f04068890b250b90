package finch_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

func languageOf(lines ...string) string {
	rq := &finch.Request{Request: &http.Request{Header: http.Header{"Accept-Language": lines}}}
	return rq.Language()
}

func TestTheLanguageThatIsLikedBest(t *testing.T) {
	rows := map[string]string{
		"":                                  "",
		"fa":                                "fa",
		"fa-IR":                             "fa-IR",
		"fa-IR,fa;q=0.9,en;q=0.5":           "fa-IR",
		"en;q=0.5, fa;q=0.9":                "fa",
		"en;q=0.5,fa":                       "fa",
		"en, fa":                            "en", // the first of equals
		"*":                                 "",
		"*, fa;q=0.1":                       "fa",
		"en;q=0, fa;q=0.001":                "fa",
		"en;q=0":                            "",
		"en;q=2, fa;q=0.1":                  "fa", // nonsense is not liked
		"en;q=x, fa;q=0.1":                  "fa",
		"en;q=NaN, fa;q=0.1":                "fa",
		"en;q=-1":                           "",
		"en ; Q=0.2 , fa ; level=1 ; q=0.3": "fa",
		"zh-Hant-TW":                        "zh-Hant-TW",
		"<script>, fa;q=0.1":                "fa",
		"-fa, 1a, fa;q=0.2":                 "fa",
		strings.Repeat("a", 36):             "",
		", ,,fa":                            "fa",
		strings.Repeat("en;q=0.1,", 100) + "fa;q=0.9": "en", // only so many are read
	}
	for header, want := range rows {
		if got := languageOf(header); got != want {
			t.Errorf("%.60q: got %q, want %q", header, got, want)
		}
	}
	if got := languageOf("en;q=0.5", "fa;q=0.6"); got != "fa" {
		t.Errorf("two lines: got %q", got)
	}
	if got := languageOf(); got != "" {
		t.Errorf("no header: got %q", got)
	}
}

func FuzzLanguage(f *testing.F) {
	for _, seed := range []string{"", "fa-IR,fa;q=0.9,en;q=0.5", "*", ";q=1", "en;q=", "a;q=0.1;q=0.9", "\x00\xff,fa"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got := languageOf(header)
		if len(got) > 35 || got != "" && !strings.Contains(header, got) {
			t.Errorf("%q: got %q", header, got)
		}
		for _, c := range got {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", c) {
				t.Errorf("%q: got %q", header, got)
			}
		}
	})
}
