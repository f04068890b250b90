package wire_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/wire"
)

func notesIn(payload []byte) (all []wire.Note) {
	wire.EachNote(payload, func(n wire.Note) { all = append(all, n) })
	return all
}

func TestNotesAreFoundInWhatASocketReads(t *testing.T) {
	now := time.Unix(0, time.Now().UnixNano())
	first, second := wire.Note{At: now, Number: 7, Room: 99}, wire.Note{At: now.Add(time.Second), Number: 123_456_789, Room: 0}
	for _, n := range []wire.Note{first, second} {
		if data := n.Data(); !json.Valid(data) || len(data) != wire.DataBytes {
			t.Errorf("the data of %v are %d bytes: %s", n, len(data), data)
		}
	}
	payload := bytes.Join([][]byte{
		[]byte(`{"path":"line","data":`), first.Data(), []byte("}\n" + `{"push":{"pub":{"data":`), second.Data(), []byte(`,"offset":8}}}`),
	}, nil)
	if got := notesIn(payload); !slices.Equal(got, []wire.Note{first, second}) {
		t.Errorf("found %v", got)
	}
	if got := notesIn(first.Data()[:40]); len(got) != 0 {
		t.Errorf("found %v in half a note", got)
	}
}

func FuzzEachNote(f *testing.F) {
	f.Add(wire.Note{At: time.Unix(1, 2), Number: 3, Room: 4}.Data())
	f.Add([]byte(`{"at":{"at":`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		notes := notesIn(payload)
		if shortest := 52; len(notes)*shortest > len(payload) {
			t.Errorf("%d notes were found in %d bytes", len(notes), len(payload))
		}
		for _, n := range notes {
			if n.Number < 0 || n.Number > 999_999_999 || n.Room < 0 || n.Room > 999_999 {
				t.Errorf("found %v", n)
			}
		}
	})
}
