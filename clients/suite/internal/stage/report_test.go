package stage_test

import (
	"testing"

	"github.com/finch-go/finch/clients/suite/internal/stage"
)

// FuzzReport gives the suite whatever a driver may say.
func FuzzReport(f *testing.F) {
	for _, text := range []string{
		`{"saw":"ready","name":"x","lacks":["rooms"]}`, `{"saw":"state","client":"a","state":"waiting","code":1006,"delay":1.5}`,
		`{"saw":"error","client":"a","ref":1,"code":"timeout"}`, `{"saw":"message","client":"a","path":"p","bytes":"AQID"}`,
		`{"saw":"history","client":"a","messages":[{"path":"p","data":[1, 2]}]}`, `{"saw":7}`, `[]`, `{"saw":"x"}`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := stage.ParseReport(text)
		if err != nil {
			return
		}
		if r.Saw == "" || r.Client == "" && r.Saw != "ready" {
			t.Errorf("%q was taken for a report", text)
		}
		r.CloseCode()
		r.ErrorCode()
		r.Binary()
		if r.JSON() == "" || r.String() != string(text) {
			t.Errorf("%q is shown as %q, its data as %q", text, r, r.JSON())
		}
	})
}

func TestJSONIsTheSameWhateverItsSpelling(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":[2]}`, ` { "b" : [2], "a" : 1.0 } `, true}, {`"\u0633"`, `"س"`, true}, {`1`, `"1"`, false}, {`{`, `{`, false}, {`null`, `null`, true},
	} {
		if got := stage.Same(tt.a, tt.b); got != tt.same {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}
