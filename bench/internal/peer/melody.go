package peer

import (
	"net/http"

	"github.com/olahol/melody"
)

func mountMelody(mux *http.ServeMux) error {
	newMelody := func() *melody.Melody {
		m := melody.New()
		m.Upgrader.CheckOrigin = anyOrigin
		m.Config.MaxMessageSize = maxMessage
		m.Config.MessageBufferSize = sendQueue
		return m
	}
	echo, all := newMelody(), newMelody()
	echo.HandleMessage(func(s *melody.Session, b []byte) { _ = s.Write(b) })
	echo.HandleMessageBinary(func(s *melody.Session, b []byte) { _ = s.WriteBinary(b) })
	all.HandleMessage(func(_ *melody.Session, b []byte) { _ = all.Broadcast(b) })
	all.HandleMessageBinary(func(_ *melody.Session, b []byte) { _ = all.BroadcastBinary(b) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _ = echo.HandleRequest(w, r) })
	mux.HandleFunc("/all", func(w http.ResponseWriter, r *http.Request) { _ = all.HandleRequest(w, r) })
	return nil
}
