package finch_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

// Closing, RFC 6455 section 7. That the server ends its half of the stream first
// (7.1.1) is asked of every row in frameRows.

var addresses = []string{"/raw", "/ws"}

func TestTheServersOwnGoodbye(t *testing.T) {
	for _, row := range []struct {
		section, what string
		ask           string
		then          string // what the client says behind the server's close frame
		code          int
		why           finch.CloseReason
	}{
		{"7.1.2", "it is answered", "close me", whole(endFrame, goodbye(4001, "")), 4001, finch.CloseReason{Code: 4001, Reason: "as you asked", Clean: true}},
		{"7.1.2", "the client's own close may have crossed it", "close me", whole(endFrame, goodbye(1001, "leaving")), 4001, finch.CloseReason{Code: 4001, Reason: "as you asked", Clean: true}},
		{"7.4.1", "without a code it says 1000", "close me with nothing", whole(endFrame, ""), 1000, finch.CloseReason{Code: 1000, Clean: true}},
		{"5.5.1", "no data and no pong comes behind it", "close me", whole(textFrame, "late") + whole(pingFrame, "late") + part(textFrame, "x") + whole(endFrame, goodbye(4001, "")), 4001, finch.CloseReason{Code: 4001, Reason: "as you asked", Clean: true}},
		{"7.1.7", "a frame that breaks the protocol ends the wait", "close me", unmasked(textFrame, "late"), 4001, finch.CloseReason{Code: 4001, Reason: "as you asked"}},
		{"7.1.5", "so does the end of the stream", "close me", "", 4001, finch.CloseReason{Code: 4001, Reason: "as you asked"}},
	} {
		t.Run(row.section+" "+row.what, func(t *testing.T) {
			eachServer(t, wires, func(t *testing.T, s *wholeServer) {
				for _, path := range addresses {
					h := s.open(path)
					go h.send(whole(textFrame, "before") + whole(textFrame, row.ask) + whole(textFrame, "behind it, and so never handled"))
					h.expect(`text "before"`, fmt.Sprintf("close %d", row.code))
					if row.then == "" {
						h.nc.Close()
					} else {
						h.send(row.then)
						h.expect("end")
						h.nc.Close()
					}
					if why := s.ended(); why != row.why {
						t.Errorf("%s: OnClose was told %+v, want %+v", path, why, row.why)
					}
				}
			})
		})
	}
}

func TestTheClientsGoodbyeIsReportedAsItWas(t *testing.T) {
	for _, row := range []struct {
		section, what string
		send          string
		want          string
		why           finch.CloseReason
	}{
		{"7.1.5", "a code and a reason", whole(endFrame, goodbye(4321, "خداحافظ")), "close 4321", finch.CloseReason{Code: 4321, Reason: "خداحافظ", Clean: true}},
		{"7.1.5", "no code", whole(endFrame, ""), "close 1005", finch.CloseReason{Code: 1005, Clean: true}},
		{"7.1.7", "a broken frame", whole(0x83, ""), "close 1002", finch.CloseReason{Code: 1002, Reason: "reserved opcode"}},
		{"8.1", "a text that is none", whole(textFrame, "\xFF"), "close 1007", finch.CloseReason{Code: 1007, Reason: "text is not valid UTF-8"}},
		{"7.4.1", "a close code that must not travel", whole(endFrame, goodbye(1006, "x")), "close 1002", finch.CloseReason{Code: 1002, Reason: "close code that must not be sent"}},
	} {
		t.Run(row.section+" "+row.what, func(t *testing.T) {
			eachServer(t, wires, func(t *testing.T, s *wholeServer) {
				for _, path := range addresses {
					h := s.open(path)
					go h.send(row.send)
					h.expect(row.want, "end")
					h.nc.Close()
					if why := s.ended(); why != row.why {
						t.Errorf("%s: OnClose was told %+v, want %+v", path, why, row.why)
					}
				}
			})
		})
	}
}

// TestAClientThatVanishesIs1006: section 7.1.5.
func TestAClientThatVanishesIs1006(t *testing.T) {
	leave := map[string]func(h *hostile){
		"closing":           func(h *hostile) { h.nc.Close() },
		"reset":             func(h *hostile) { h.reset() },
		"half closing":      func(h *hostile) { h.halfClose() },
		"within a header":   func(h *hostile) { h.send(whole(textFrame, "a")[:3]); h.nc.Close() },
		"within a payload":  func(h *hostile) { h.send(promise(binaryFrame, 1000, "abc")); h.nc.Close() },
		"within a message":  func(h *hostile) { h.send(part(textFrame, "a")); h.nc.Close() },
		"reset in a header": func(h *hostile) { h.send("\x81"); h.reset() },
	}
	eachServer(t, []string{"tcp", "tls"}, func(t *testing.T, s *wholeServer) {
		for _, path := range addresses {
			for how, leave := range leave {
				h := s.open(path)
				leave(h)
				if why := s.ended(); why.Code != 1006 || why.Clean {
					t.Errorf("%s, %s: OnClose was told %+v", path, how, why)
				}
				if how == "half closing" { // the server must not keep its half for ever
					if _, err := io.Copy(io.Discard, h.nc); err != nil {
						t.Errorf("%s: the server's half ended with %v", path, err)
					}
				}
				h.nc.Close()
			}
		}
	})
}

// TestAPingIsAnsweredWhileAHandlerBlocks: "as soon as is practical" of section
// 5.5.2 is not "when the application gets round to it".
func TestAPingIsAnsweredWhileAHandlerBlocks(t *testing.T) {
	eachServer(t, wires, func(t *testing.T, s *wholeServer) {
		h := s.open("/late")
		go h.send(whole(textFrame, "first") + whole(textFrame, "second") + whole(pingFrame, "p"))
		h.expect(`pong "p"`)
		go h.send(whole(pingFrame, "q"))
		h.expect(`pong "q"`)
		close(s.release)
		h.expect(`text "first"`, `text "second"`)
		h.nc.Close()
	})
}

// TestTheLastWordsSurviveUnreadInput: to close while input is unread makes the
// kernel throw away what was written (section 7.1.1 asks for a clean TCP close
// for that reason).
func TestTheLastWordsSurviveUnreadInput(t *testing.T) {
	const answers = 10
	long := strings.Repeat("w", 60<<10)
	eachServer(t, wires, func(t *testing.T, s *wholeServer) {
		for _, path := range addresses {
			h := s.open(path)
			var b strings.Builder
			for range answers {
				b.WriteString(whole(textFrame, long))
			}
			b.WriteString(whole(textFrame, "close me"))
			for range answers {
				b.WriteString(whole(textFrame, long))
			}
			b.WriteString(whole(endFrame, goodbye(4001, "")))
			go h.send(b.String())
			for range answers {
				h.expect(echoed("text", long))
			}
			h.expect("close 4001", "end")
			h.nc.Close()
			if why := s.ended(); why.Code != 4001 {
				t.Errorf("%s: OnClose was told %+v", path, why)
			}
		}
	})
}

// TestAClientMayLeaveAnywhere cuts a conversation off after each of its bytes,
// by turns gently and with a reset. Nothing may be left of it: stop asks.
func TestAClientMayLeaveAnywhere(t *testing.T) {
	eachServer(t, wires, func(t *testing.T, s *wholeServer) {
		for i, path := range addresses {
			conversation := requestOf(path) + whole(textFrame, "hello") + part(textFrame, "a") + whole(pingFrame, "p") + whole(contFrame, bytes64k[:200]) + whole(endFrame, goodbye(1000, ""))
			step := 7
			if s.wire == "tls" {
				step = 53 // a handshake each
			}
			for n := i; n < len(conversation); n += step {
				h := s.dial()
				go io.Copy(io.Discard, h.nc) // a pipe waits for its reader
				h.send(conversation[:n])
				if n%2 == 0 {
					h.reset()
				} else {
					h.nc.Close()
				}
			}
		}
	})
}
