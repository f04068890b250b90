package scenarios

import (
	"bytes"
	"encoding/base64"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/protocol"
)

var binary = []stage.Scenario{
	{
		Name:   "binary",
		Checks: "Bytes travel as they are: the length of the envelope in four bytes, the envelope, the bytes.",
		Needs:  []string{"binary"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("photo", nil)
			c.On("عکس", nil)
			conn := c.Open(`{"limits":{"message_bytes":1048576,"json_depth":64}}`)
			everything := make([]byte, 70_000)
			for i := range everything {
				everything[i] = byte(i)
			}
			for _, payload := range [][]byte{{0x89, 'P', 'N', 'G'}, {}, everything} {
				for _, path := range []string{"photo", "عکس"} {
					conn.SendBinary(protocol.Envelope{Path: path, Status: 200}, payload)
					r := c.Next("message")
					got, ok := r.Binary()
					s.Check(ok && r.Path == path && bytes.Equal(got, payload), "%d bytes on %s were reported as %.200v", len(payload), path, r)
					c.Do("send", stage.Command{"path": path, "bytes": base64.StdEncoding.EncodeToString(payload)})
					m := conn.Expect(path)
					s.Check(m.Binary != nil && bytes.Equal(m.Binary, payload), "%d bytes on %s were sent as %.200v", len(payload), path, m)
				}
			}
		},
	},
	{
		Name:   "binary-answers",
		Checks: "Ids and answers work as in text messages, and either end may answer a text message with a binary one.",
		Needs:  []string{"binary", "ask"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("thumb", stage.Handler{"answer_bytes": "AQID"})
			conn := c.Open("")
			ref := request(c, "photo", 7)
			m := conn.Request("photo", "7")
			conn.SendBinary(protocol.Envelope{Path: "photo", Status: 200, Reply: m.ID}, []byte{1, 2, 3})
			r := c.Result(ref, "answer")
			got, ok := r.Binary()
			s.Check(ok && bytes.Equal(got, []byte{1, 2, 3}), "the binary answer was reported as %v", r)
			ref = c.Ask("request", stage.Command{"path": "keep", "bytes": "BAUG"})
			m = conn.Take()
			s.Check(!m.ID.IsZero() && bytes.Equal(m.Binary, []byte{4, 5, 6}), "the binary question was %v", m)
			conn.Answer(m, "true")
			c.Result(ref, "answer")
			ask(conn, "thumb", protocol.IntID(1))
			m = conn.Take()
			replied(s, m, protocol.IntID(1))
			s.Check(bytes.Equal(m.Binary, []byte{1, 2, 3}), "the binary answer was %v", m)
		},
	},
}
