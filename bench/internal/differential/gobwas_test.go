package differential_test

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

var gobwas = judge{
	name: "gobwas/ws",
	ask:  askGobwas,
	lenient: map[string]string{
		"1002 payload length not in its shortest form": "5.2: the minimal number of bytes MUST be used",
		"1002 control frame longer than 125 bytes":     "5.2: a short length in a long form, as above",
		"1002 close code that must not be sent":        "7.4.2: nobody may use 5000 and above; it only refuses below 3000",
	},
	stricter: []string{"1012", "1013", "1014"}, // registered after RFC 6455, which it follows to the letter
}

func askGobwas(t *testing.T, stream, sizes []byte, _ int) (v verdict) {
	t.Helper()
	nc := &pieceConn{}
	for piece := range pieces(stream, sizes) {
		nc.pieces = append(nc.pieces, append([]byte(nil), piece...))
	}
	rd := wsutil.NewServerSideReader(nc)
	rd.CheckUTF8 = true
	errGoodbye := errors.New("goodbye")
	control := func(h ws.Header, r io.Reader) error {
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r, payload); err != nil {
			return io.ErrUnexpectedEOF // a plain EOF would end the message around it as if it were whole
		}
		switch h.OpCode {
		case ws.OpPing:
			v.events = append(v.events, message("ping", payload))
			return nil
		case ws.OpPong:
			v.events = append(v.events, message("pong", payload))
			return nil
		}
		switch {
		case len(payload) == 0:
			v.events = append(v.events, goodbye(1005, ""))
			return errGoodbye
		case len(payload) == 1:
			return ws.ErrProtocolStatusCodeNotInUse
		}
		code, reason := binary.BigEndian.Uint16(payload), string(payload[2:])
		if err := ws.CheckCloseFrameData(ws.StatusCode(code), reason); err != nil {
			return err
		}
		v.events = append(v.events, goodbye(int(code), reason))
		return errGoodbye
	}
	rd.OnIntermediate = control
	for {
		h, err := rd.NextFrame()
		var payload []byte
		switch {
		case err != nil:
		case h.OpCode.IsControl():
			// The reader ends the frame by itself when it is asked for more.
			if err = control(h, io.LimitReader(rd, h.Length)); err == nil {
				err = rd.Discard()
			}
		default:
			if payload, err = io.ReadAll(rd); err == nil {
				v.events = append(v.events, message(map[ws.OpCode]string{ws.OpText: "text", ws.OpBinary: "binary"}[h.OpCode], payload))
			}
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, errGoodbye), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		default:
			v.refused = err.Error()
		}
		return v
	}
}
