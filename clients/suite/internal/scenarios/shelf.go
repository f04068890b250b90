package scenarios

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/internal/scripted"
)

// A publish is the data of finch.publish.
type publish struct {
	Room string          `json:"room"`
	Path string          `json:"path"`
	Data json.RawMessage `json:"data"`
	Key  string          `json:"key"`
	Echo *bool           `json:"echo"`
}

// takePublish waits for the next message, which must be a publish with a key.
func takePublish(s *stage.Stage, conn *stage.Conn) (scripted.Message, publish) {
	m := conn.Expect("finch.publish")
	var p publish
	err := json.Unmarshal(m.Data, &p)
	s.Check(err == nil && !m.ID.IsZero(), "finch.publish is not what it should be: %v", m)
	s.Check(p.Room == room && p.Path == "post", "finch.publish should be of post in %s: %v", room, m)
	s.Check(len(p.Key) >= 1 && len(p.Key) <= 128, "a publish key has 1 to 128 bytes: %v", m)
	return m, p
}

// A shelf is the room as the server keeps it: it records each key once, and
// holds back what would overtake a publish that failed.
type shelf struct {
	stage *stage.Stage
	// fails says what becomes of the given try of some data, counted from 0: a
	// code of a 503 (of a 500, if it is internal), or empty if it is recorded.
	// "unknown_outcome" records it.
	fails func(data string, try int) (code string)

	tries  map[string]int    // by data
	keys   map[string]string // data by key
	places map[string]int    // by key, in order of recording from 1
	order  []string          // the data, in order of recording
	behind string            // the key that all others wait for
}

func newShelf(s *stage.Stage, fails func(data string, try int) string) *shelf {
	return &shelf{stage: s, fails: fails, tries: map[string]int{}, keys: map[string]string{}, places: map[string]int{}}
}

// serve takes publishes from a connection and answers them until all of the
// data are recorded and answered.
func (h *shelf) serve(conn *stage.Conn, all ...string) {
	answered := map[string]bool{}
	for len(answered) < len(all) {
		m, p := takePublish(h.stage, conn)
		data := string(p.Data)
		h.stage.Check(slices.Contains(all, data), "nobody published %v", m)
		if h.answer(conn, m, p) {
			answered[data] = true
		}
	}
	h.stage.Check(slices.Equal(h.order, all), "recorded in the order %v, published in the order %v", h.order, all)
}

// answer answers one publish; true if it was told that it is recorded.
func (h *shelf) answer(conn *stage.Conn, m scripted.Message, p publish) bool {
	data := string(p.Data)
	if before, ok := h.keys[p.Key]; ok {
		h.stage.Check(before == data, "the key of %s was used for %s, too", before, data)
	} else {
		for key, other := range h.keys {
			h.stage.Check(other != data, "%s was published under the keys %s and %s", data, key, p.Key)
		}
		h.keys[p.Key] = data
	}
	if h.behind != "" && h.behind != p.Key {
		conn.Fail(m, 503, "held_back")
		return false
	}
	h.behind = ""
	try := h.tries[data]
	h.tries[data]++
	code := ""
	if h.fails != nil {
		code = h.fails(data, try)
	}
	_, duplicate := h.places[p.Key]
	if !duplicate && (code == "" || code == "unknown_outcome") {
		h.order = append(h.order, data)
		h.places[p.Key] = len(h.order)
	}
	if code != "" {
		h.behind = p.Key
		status := 503
		if code == "internal" {
			status = 500 // any 5xx: the server does not know either
		}
		conn.Fail(m, status, code)
		return false
	}
	conn.Answer(m, h.told(p.Key, duplicate))
	return true
}

// told is the data of the answer.
func (h *shelf) told(key string, duplicate bool) string {
	if duplicate {
		return fmt.Sprintf(`{"position":"%s","duplicate":true}`, h.position(key))
	}
	return fmt.Sprintf(`{"position":"%s"}`, h.position(key))
}

func (h *shelf) position(key string) string { return fmt.Sprintf("k3v.%d.a", 12+h.places[key]) }
