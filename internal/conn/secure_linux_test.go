package conn_test

import (
	"testing"

	"github.com/finch-go/finch/internal/conn"
)

// TestAPeerThatMakesTLSWriteWithoutEndIsCutOff stands for one that asks for
// new keys again and again and reads no answer.
func TestAPeerThatMakesTLSWriteWithoutEndIsCutOff(t *testing.T) {
	overTLS(t, func(t *testing.T, s setup) {
		if s.engine == conn.Portable {
			return // there such a peer blocks the goroutine that reads it
		}
		r := s.serve(t, quiet(), newOwner(t))
		total, answer := 0, make([]byte, 1000)
		for {
			ok, err := conn.AnswerOfTLS(r.conn, answer)
			if !ok {
				t.Fatal("not on epoll")
			}
			if err != nil {
				break
			}
			if total += len(answer); total > 1<<20 {
				t.Fatal("there is no bound")
			}
		}
		r.peer.text("and another")
		if why := r.own.closed(); why.Code != 1006 {
			t.Errorf("closed with %+v", why)
		}
	})
}
