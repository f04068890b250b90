package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/finch-go/finch/protocol"
)

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestValidDataIsJSONThatCanBeRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{`null`, true}, {` {"a": [1, "سلام"]} `, true}, {nested(10000), true}, {strings.Repeat(`{"a":`, 9999) + nested(1) + strings.Repeat("}", 9999), true},
		{``, false}, {` `, false}, {`{`, false}, {`1 2`, false}, {`nul`, false}, {"\"\xff\"", false}, {`01`, false}, {"\"\n\"", false}, {nested(10001), false},
	} {
		if got := protocol.Valid([]byte(c.text)); got != c.want {
			t.Errorf("%.40q: %v", c.text, got)
		}
		if err := json.Unmarshal([]byte(c.text), new(any)); (err == nil && utf8.ValidString(c.text)) != c.want {
			t.Errorf("%.40q: encoding/json says %v", c.text, err)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, text := range []string{`{"a":[1,2.5e-3,"\u00e9\\",null,true]}`, ` [ ] `, "\"\xff\"", `{"a":1,}`, `-0`, `[1}`, nested(70)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, want := protocol.Valid(data), json.Valid(data) && utf8.Valid(data); got != want {
			t.Errorf("%q: %v, by encoding/json %v", data, got, want)
		}
	})
}
