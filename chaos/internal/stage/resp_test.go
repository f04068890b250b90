package stage_test

import (
	"strings"
	"testing"

	"github.com/finch-go/finch/chaos/internal/stage"
)

func TestAnswersOfRedisAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"+PONG\r\n":                           "PONG",
		":7\r\n":                              "7",
		"$5\r\na\r\nbc\r\n":                   "a\r\nbc",
		"$-1\r\n":                             "",
		"*2\r\n$1\r\na\r\n*2\r\n:1\r\n+b\r\n": "a\n1\nb",
		"*0\r\n":                              "",
	} {
		if got, err := stage.ReadAnswer(text); err != nil || got != want {
			t.Errorf("%q is read as %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "\r\n", "-ERR no\r\n", "$x\r\n", "$9\r\nshort\r\n", "$999999999999\r\n", "*2\r\n:1\r\n", strings.Repeat("*1\r\n", 9)} {
		if got, err := stage.ReadAnswer(text); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	for _, text := range []string{"+PONG\r\n", "$5\r\na\r\nbc\r\n", "*2\r\n$1\r\na\r\n*2\r\n:1\r\n+b\r\n", "$-9\r\n", "*-1\r\n", "-\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := stage.ReadAnswer(text); err == nil && len(got) > len(text) {
			t.Errorf("%q is read as %q", text, got)
		}
	})
}
