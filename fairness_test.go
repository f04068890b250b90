package finch_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNeighboursOfAFloodAreServed lets some sockets send as fast as they are
// read while others ask and wait, and tells what that does to the others'
// latency (go test -v). Only that they are served is asserted: how fast depends
// on the machine, half of which is busy with being the flood.
func TestNeighboursOfAFloodAreServed(t *testing.T) {
	floods := []struct{ name, bytes string }{
		{"small texts", strings.Repeat(whole(textFrame, "flood"), 1000)},
		{"big texts", whole(textFrame, bytes64k)},
		{"pings", strings.Repeat(whole(pingFrame, "flood"), 1000)},
		{"empty fragments", part(textFrame, "") + strings.Repeat(part(contFrame, ""), 2000) + whole(contFrame, "")},
	}
	for _, engine := range engines {
		for _, wire := range []string{"tcp", "tls"} {
			s := newWholeServer(t, wire, engine.set)
			quiet := neighbours(t, s)
			t.Logf("%-8s %s  %-16s p50 %8v  p99 %8v", engine.name, wire, "no flood", quiet.at(50), quiet.at(99))
			for _, f := range floods {
				stop := s.flood(f.bytes, 2)
				busy := neighbours(t, s)
				read := stop()
				t.Logf("%-8s %s  %-16s p50 %8v  p99 %8v  ratio %4.1f  %4.1f  (the flood was answered %d KB)", engine.name, wire, f.name,
					busy.at(50), busy.at(99), busy.at(50).Seconds()/quiet.at(50).Seconds(), busy.at(99).Seconds()/quiet.at(99).Seconds(), read>>10)
				if read == 0 {
					t.Errorf("%s %s: nobody flooded with %s", engine.name, wire, f.name)
				}
			}
			s.stop()
		}
	}
}

// flood lets sockets write the same bytes again and again, and read what comes
// back. It returns when each was answered, so that the flood is there; stop ends them
// and answers how much came back.
func (s *wholeServer) flood(bytes string, sockets int) (stop func() int64) {
	var wg sync.WaitGroup
	reads := make([]int64, sockets)
	all := make([]*hostile, sockets)
	for i := range all {
		h := s.open("/raw")
		h.nc.SetWriteDeadline(time.Time{})
		h.nc.SetReadDeadline(time.Now().Add(hostileWait))
		all[i] = h
		wg.Go(func() {
			for {
				if _, err := io.WriteString(h.nc, bytes); err != nil {
					return
				}
			}
		})
	}
	for i, h := range all {
		if _, err := h.r.Peek(1); err != nil {
			s.t.Errorf("the flood was not answered: %v", err)
		}
		h.nc.SetReadDeadline(time.Time{})
		wg.Go(func() { reads[i], _ = io.Copy(io.Discard, h.r) })
	}
	return func() (total int64) {
		for _, h := range all {
			h.nc.Close()
		}
		wg.Wait()
		for _, n := range reads {
			total += n
		}
		return total
	}
}

// latencies are sorted.
type latencies []time.Duration

func (l latencies) at(percent int) time.Duration {
	return l[(len(l)-1)*percent/100].Round(time.Microsecond)
}

// neighbours ask and wait, each by itself.
func neighbours(t *testing.T, s *wholeServer) latencies {
	t.Helper()
	const sockets, asks = 10, 60
	took := make([]latencies, sockets)
	var wg sync.WaitGroup
	for i := range took {
		h := s.open(addresses[i%len(addresses)])
		wg.Go(func() {
			defer h.nc.Close()
			for n := range asks {
				text := fmt.Sprintf("%d.%d", i, n)
				begin := time.Now()
				h.send(whole(textFrame, text))
				said, err := h.next()
				if err != nil || said != echoed("text", text) {
					t.Errorf("neighbour %d, ask %d: %.100s %v", i, n, said, err)
					return
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(took...)
	if len(all) == 0 {
		t.Fatal("nobody was served")
	}
	slices.Sort(all)
	return all
}
