package child

import (
	"bytes"
	"sync"
)

const (
	saidMost  = 64 << 10     // of what a process said is kept, or more
	crashMost = 4 * saidMost // of what it said since it crashed
)

// crashes are the words by which a program of Go that crashes can be known.
var crashes = [][]byte{[]byte("WARNING: DATA RACE"), []byte("panic: "), []byte("fatal error: ")}

const longestCrash = len("WARNING: DATA RACE")

// said keeps the end of what a process says, and the beginning of what it says from
// a crash on: that must not be pushed out by what follows.
type said struct {
	ready []byte
	found chan string // of one: the rest of the line that has ready in it

	mu    sync.Mutex
	text  []byte
	told  bool
	crash int // where it begins in text; -1 as long as there is none
}

func newSaid(ready string) *said {
	return &said{ready: []byte(ready), found: make(chan string, 1), told: ready == "", crash: -1}
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crash >= 0 {
		s.text = append(s.text, b[:min(len(b), max(0, s.crash+crashMost-len(s.text)))]...)
		return len(b), nil
	}
	seen := max(0, len(s.text)-longestCrash) // a word may have come in two pieces
	s.text = append(s.text, b...)
	s.look()
	for _, word := range crashes {
		if i := bytes.Index(s.text[seen:], word); i >= 0 && (s.crash < 0 || seen+i < s.crash) {
			s.crash = seen + i
		}
	}
	if s.crash < 0 && len(s.text) > 2*saidMost {
		s.text = append(s.text[:0], s.text[len(s.text)-saidMost:]...)
	}
	return len(b), nil
}

// look looks for the line that says that the process serves.
func (s *said) look() {
	if s.told {
		return
	}
	_, rest, ok := bytes.Cut(s.text, s.ready)
	if !ok {
		return
	}
	if line, _, whole := bytes.Cut(rest, []byte("\n")); whole {
		s.told = true
		s.found <- string(bytes.TrimSuffix(line, []byte("\r")))
	}
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

func (s *said) crashed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crash < 0 {
		return ""
	}
	return string(s.text[s.crash:])
}
