package frame_test

import (
	"testing"
	"unsafe"

	"github.com/finch-go/finch/internal/frame"
)

func TestParserIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(frame.Parser{}); size > 8 {
		t.Errorf("a Parser takes %d bytes of each idle socket, want one pointer", size)
	}
}

func TestSplitSmoke(t *testing.T) {
	in := frame.AppendMasked(nil, frame.Text, []byte("سلام سرور!"), [4]byte{1, 2, 3, 4})
	for cut := range in {
		b := append([]byte(nil), in...)
		var p frame.Parser
		var c frame.Config
		var got string
		for _, part := range [][]byte{b[:cut], b[cut:]} {
			for len(part) > 0 {
				ev, n, err := p.Next(&c, part)
				if err != nil {
					t.Fatal(err)
				}
				part = part[n:]
				if ev.Opcode != 0 {
					got += string(ev.Payload)
				}
			}
		}
		if got != "سلام سرور!" {
			t.Errorf("%d: %q", cut, got)
		}
	}
}
