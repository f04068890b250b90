package bench_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

func TestTheServerCompressesForWhoAsks(t *testing.T) {
	app, err := bench.NewServer(bench.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(app)
	defer s.Close()
	for _, path := range []string{"/echo", "/ws"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		r.Header = http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Sec-Websocket-Extensions": {"permessage-deflate"},
		}
		answer, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if got := answer.Header.Get("Sec-Websocket-Extensions"); answer.StatusCode != 101 || !strings.HasPrefix(got, "permessage-deflate;") {
			t.Errorf("%s: answered %d, extensions %q", path, answer.StatusCode, got)
		}
	}
}
