package bench_test

import (
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

// The key and its answer are the example of RFC 6455 section 1.3.
var (
	exampleKey    = [24]byte([]byte("dGhlIHNhbXBsZSBub25jZQ=="))
	exampleAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

func TestAnswersToTheHandshake(t *testing.T) {
	tests := []struct {
		name, answer string
		n            int
		err          string
	}{
		{"right", exampleAnswer + "\x81\x00", len(exampleAnswer), ""},
		{"not whole", exampleAnswer[:len(exampleAnswer)-1], 0, ""},
		{"refused", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 0, "403 Forbidden"},
		{"another key", strings.Replace(exampleAnswer, "s3pP", "AAAA", 1), 0, "does not fit the key"},
		{"no key", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, "does not fit the key"},
		{"an extension", strings.Replace(exampleAnswer, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1), 0, "permessage-deflate"},
		{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 0, "no HTTP response"},
		{"without end", strings.Repeat("x", 20<<10), 0, "no HTTP response"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := bench.ParseAnswer([]byte(tt.answer), exampleKey)
			if n != tt.n || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %d, %v; want %d, %q", n, err, tt.n, tt.err)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(exampleAnswer))
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\n\r\n"))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := bench.ParseAnswer(b, exampleKey); n < 0 || n > len(b) || n > 0 && err != nil {
			t.Errorf("%q: %d, %v", b, n, err)
		}
	})
}
