package finch_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A handshakeRow is an opening handshake and its answer.
type handshakeRow struct {
	section string // of RFC 6455, or another
	what    string
	change  []string // of the handshake that any client sends: see requestOf
	status  int
	has     []string // lines of the answer
	hasNot  []string // headers
	only    string   // the address that the row speaks of; empty: both
	body    string
}

func changes(c ...string) []string { return c }

const foreign = "Origin: https://evil.example"

var handshakeRows = []handshakeRow{
	{"1.3", "the example of the RFC", nil, 101,
		[]string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		[]string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding", "Content-Type"}, "", ""},
	{"4.1", "header names in any case", changes("-Upgrade", "+uPGRADE: websocket", "-Connection", "+CONNECTION: Upgrade", "-Sec-WebSocket-Key", "+sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="), 101, nil, nil, "", ""},
	{"4.2.1", "values of Upgrade and Connection in any case", changes("Upgrade: WebSocket", "Connection: uPGRADE"), 101, nil, nil, "", ""},
	{"4.2.1", "Connection with several tokens", changes("Connection: keep-alive, Upgrade"), 101, nil, nil, "", ""},
	{"4.2.1", "Connection in several lines", changes("Connection: keep-alive", "+Connection: x , upgrade"), 101, nil, nil, "", ""},
	{"4.2.1", "Upgrade with several protocols", changes("Upgrade: h2c, websocket"), 101, nil, nil, "", ""},
	{"4.2.1", "a query", changes("GET %s?a=b&c=d HTTP/1.1"), 101, nil, nil, "", ""},
	{"4.2.1", "headers that nobody knows", changes("+X-Whatever: 1", "+Cookie: a=b"), 101, nil, nil, "", ""},
	{"4.2.1", "an announced body of no bytes", changes("+Content-Length: 0"), 101, nil, nil, "", ""},

	{"4.2.1", "not GET", changes("POST %s HTTP/1.1"), 405, []string{"Allow: GET"}, []string{"Sec-WebSocket-Accept"}, "", ""},
	{"4.2.1", "HTTP/1.0", changes("GET %s HTTP/1.0"), 505, nil, []string{"Sec-WebSocket-Accept"}, "", ""},
	{"4.2.1", "no Host", changes("-Host"), 400, nil, []string{"Sec-WebSocket-Accept"}, "", ""},
	{"4.2.1", "no Upgrade", changes("-Upgrade"), 426, []string{"Upgrade: websocket"}, []string{"Sec-WebSocket-Accept"}, "", ""},
	{"4.2.1", "another Upgrade", changes("Upgrade: h2c"), 426, []string{"Upgrade: websocket"}, nil, "", ""},
	{"4.2.1", "an Upgrade that only begins like ours", changes("Upgrade: websocket2"), 426, nil, nil, "", ""},
	{"4.2.1", "no Connection", changes("-Connection"), 426, nil, nil, "", ""},
	{"4.2.1", "a Connection that does not say Upgrade", changes("Connection: keep-alive, upgraded"), 426, nil, nil, "", ""},
	{"4.2.1", "no key", changes("-Sec-WebSocket-Key"), 400, nil, nil, "", ""},
	{"4.2.1", "an empty key", changes("Sec-WebSocket-Key: "), 400, nil, nil, "", ""},
	{"4.2.1", "a key of 15 bytes", changes("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"), 400, nil, nil, "", ""},
	{"4.2.1", "a key of 17 bytes", changes("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="), 400, nil, nil, "", ""},
	{"4.2.1", "a key that is not base64", changes("Sec-WebSocket-Key: ?GhlIHNhbXBsZSBub25jZQ=="), 400, nil, nil, "", ""},
	{"11.3.1", "two keys", changes("+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, nil, nil, "", ""},
	{"4.2.2", "no version", changes("-Sec-WebSocket-Version"), 426, []string{"Sec-WebSocket-Version: 13"}, nil, "", ""},
	{"4.4", "an older version is told which one is spoken", changes("Sec-WebSocket-Version: 8"), 426, []string{"Sec-WebSocket-Version: 13", "Upgrade: websocket"}, []string{"Sec-WebSocket-Accept"}, "", ""},
	{"4.4", "a newer one too", changes("Sec-WebSocket-Version: 14"), 426, []string{"Sec-WebSocket-Version: 13"}, nil, "", ""},
	{"11.3.5", "two versions", changes("+Sec-WebSocket-Version: 8"), 400, nil, []string{"Sec-WebSocket-Accept"}, "", ""},
	{"9110:9.3.1", "a body would be taken for frames", changes("+Content-Length: 5"), 400, nil, []string{"Sec-WebSocket-Accept"}, "", "hello"},
	{"9110:9.3.1", "in chunks too", changes("+Transfer-Encoding: chunked"), 400, nil, []string{"Sec-WebSocket-Accept"}, "", "5\r\nhello\r\n0\r\n\r\n"},

	{"4.2.2", "a subprotocol that the server speaks is chosen", changes("+Sec-WebSocket-Protocol: finch.v1.json"), 101, []string{"Sec-WebSocket-Protocol: finch.v1.json"}, nil, "/ws", ""},
	{"4.2.2", "among others", changes("+Sec-WebSocket-Protocol: chat, finch.v1.json,superchat"), 101, []string{"Sec-WebSocket-Protocol: finch.v1.json"}, nil, "/ws", ""},
	{"11.3.4", "in several lines", changes("+Sec-WebSocket-Protocol: chat", "+Sec-WebSocket-Protocol: finch.v1.json"), 101, []string{"Sec-WebSocket-Protocol: finch.v1.json"}, nil, "/ws", ""},
	{"4.2.2", "none is chosen that was not offered", nil, 101, nil, []string{"Sec-WebSocket-Protocol"}, "", ""},
	{"4.2.2", "none that the server does not speak", changes("+Sec-WebSocket-Protocol: chat, FINCH.V1.JSON"), 101, nil, []string{"Sec-WebSocket-Protocol"}, "/ws", ""},
	{"4.2.2", "a token is never echoed", changes("+Sec-WebSocket-Protocol: finch.token.c2VjcmV0, finch.v1.json"), 101, []string{"Sec-WebSocket-Protocol: finch.v1.json"}, nil, "/ws", ""},
	{"4.2.2", "a raw route speaks none", changes("+Sec-WebSocket-Protocol: finch.v1.json"), 101, nil, []string{"Sec-WebSocket-Protocol"}, "/raw", ""},

	{"9.1", "an extension is declined in silence", changes("+Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), 101, nil, []string{"Sec-WebSocket-Extensions"}, "", ""},
	{"9.1", "whatever it is", changes("+Sec-WebSocket-Extensions: x-mux; max=1, x-other", "+Sec-WebSocket-Extensions: third"), 101, nil, []string{"Sec-WebSocket-Extensions"}, "", ""},
	{"9.1", "a broken offer is declined as well", changes("+Sec-WebSocket-Extensions: ;;=\", ,"), 101, nil, []string{"Sec-WebSocket-Extensions"}, "", ""},

	{"10.2", "no Origin is no browser", nil, 101, nil, nil, "", ""},
	{"10.2", "the host that was asked for", changes("+Origin: https://app.test"), 101, nil, nil, "", ""},
	{"10.2", "a page of another host", changes("+" + foreign), 403, nil, []string{"Sec-WebSocket-Accept"}, "", ""},
	{"10.2", "a page of nowhere", changes("+Origin: null"), 403, nil, nil, "", ""},
	{"10.2", "a host that only ends like ours", changes("+Origin: https://notapp.test"), 403, nil, nil, "", ""},
	{"10.2", "and one that begins like it", changes("+Origin: https://app.test.evil.example"), 403, nil, nil, "", ""},
}

func TestOpeningHandshakesOfTheRFC(t *testing.T) {
	eachServer(t, wires, func(t *testing.T, s *wholeServer) {
		for _, path := range []string{"/ws", "/raw"} {
			for _, row := range handshakeRows {
				if row.only != "" && row.only != path {
					continue
				}
				t.Run(fmt.Sprintf("%s %s %s", path, row.section, row.what), func(t *testing.T) {
					row.check(t, s, path)
				})
			}
		}
	})
}

func (row handshakeRow) check(t *testing.T, s *wholeServer, path string) {
	change := append([]string(nil), row.change...)
	for i := range change {
		change[i] = strings.Replace(change[i], "%s", path, 1)
	}
	h := s.dial()
	h.t = t
	defer h.nc.Close()
	go h.send(requestOf(path, change...) + row.body)
	a := h.answer()
	if a.status != row.status {
		t.Fatalf("answered %s, want %d", a.line, row.status)
	}
	for _, line := range row.has {
		name, value, _ := strings.Cut(line, ": ")
		if got := a.values(name); len(got) != 1 || got[0] != value {
			t.Errorf("the answer has %s %q, want %q once", name, got, value)
		}
	}
	for _, name := range row.hasNot {
		if got := a.values(name); got != nil {
			t.Errorf("the answer has %s %q", name, got)
		}
	}
	if a.status == http.StatusSwitchingProtocols {
		go h.send(whole(textFrame, "hello") + whole(endFrame, ""))
		h.expect(`text "hello"`, "close 1005", "end")
		return
	}
	// A handshake that was refused left an ordinary HTTP connection, unless the
	// answer says that it ends (RFC 9110 section 7.8).
	for _, v := range a.values("Connection") {
		if strings.EqualFold(v, "close") {
			return
		}
	}
	if row.status == http.StatusBadRequest && len(a.values("X-Content-Type-Options")) == 0 || row.status == http.StatusHTTPVersionNotSupported {
		return // net/http itself has refused, or HTTP/1.0 keeps no connection
	}
	go h.send(requestOf(path))
	if a := h.answer(); a.status != http.StatusSwitchingProtocols {
		t.Errorf("after the refusal a right handshake was answered %s", a.line)
	}
}

// TestBytesBehindTheHandshake: a client may not send before it has the answer
// (section 4.1), but what a proxy has joined together must not be lost.
func TestBytesBehindTheHandshake(t *testing.T) {
	eachServer(t, wires, func(t *testing.T, s *wholeServer) {
		stream := requestOf("/raw") + whole(textFrame, "early") + whole(pingFrame, "p") + part(textFrame, "la") + whole(contFrame, "te") + whole(endFrame, goodbye(1000, ""))
		border := len(requestOf("/raw"))
		for at := border - 8; at < len(stream); at++ {
			if s.wire == "tls" && at%5 != 0 {
				continue // a handshake each
			}
			h := s.dial()
			go h.send(stream, at, len(stream))
			if a := h.answer(); a.status != http.StatusSwitchingProtocols {
				t.Fatalf("cut at %d: %s", at, a.line)
			}
			texts := []string{}
			for {
				said, err := h.next()
				if err != nil {
					t.Fatalf("cut at %d: %v after %q", at, err, texts)
				}
				if said == "end" {
					break
				}
				if said != `pong "p"` {
					texts = append(texts, said)
				}
			}
			if got := strings.Join(texts, " "); got != `text "early" text "late" close 1000` {
				t.Fatalf("cut at %d: got %s", at, got)
			}
			h.nc.Close()
		}
	})
}

func TestGarbageBehindTheHandshakeFailsTheConnection(t *testing.T) {
	eachServer(t, []string{"tcp"}, func(t *testing.T, s *wholeServer) {
		for _, garbage := range []string{
			requestOf("/raw"), // pipelined, as if the answer had been a refusal
			"\r\n\r\n",
			strings.Repeat("\x00", 100),
			strings.Repeat("\xFF", 100),
			"\x16\x03\x01\x02\x00", // a TLS ClientHello
		} {
			h := s.dial()
			go h.send(requestOf("/raw") + garbage)
			if a := h.answer(); a.status != http.StatusSwitchingProtocols {
				t.Fatalf("%.10q: %s", garbage, a.line)
			}
			h.expect("close 1002", "end")
			h.nc.Close()
		}
	})
}
