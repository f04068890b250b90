package stage_test

import (
	"bufio"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/bench/cluster/internal/stage"
)

func TestAnswersOfRedisAreRead(t *testing.T) {
	for _, row := range []struct {
		wire string
		want []string
		bad  bool
	}{
		{"+PONG\r\n", []string{"PONG"}, false},
		{":12\r\n", []string{"12"}, false},
		{"$5\r\na\r\nb!\r\n", []string{"a\r\nb!"}, false},
		{"*2\r\n$3\r\nget\r\n+xrange\r\n", []string{"get", "xrange"}, false},
		{"*0\r\n", nil, false},
		{"-ERR no\r\n", nil, true},
		{"$-1\r\n", nil, true},
		{"$5\r\nab", nil, true},
		{"*1\r\n", nil, true},
		{"$99999999999\r\n", nil, true},
		{"?\r\n", nil, true},
		{"\r\n", nil, true},
	} {
		got, err := stage.ReadAnswer(bufio.NewReader(strings.NewReader(row.wire)))
		if (err != nil) != row.bad || !row.bad && !slices.Equal(got, row.want) {
			t.Errorf("%q was read as %q, %v", row.wire, got, err)
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add("*2\r\n$3\r\nget\r\n+xrange\r\n")
	f.Add("$-1\r\n")
	f.Fuzz(func(t *testing.T, wire string) {
		texts, err := stage.ReadAnswer(bufio.NewReader(strings.NewReader(wire)))
		size := 0
		for _, text := range texts {
			size += len(text)
		}
		if err == nil && size > len(wire) {
			t.Errorf("%d bytes were read out of %d", size, len(wire))
		}
	})
}
