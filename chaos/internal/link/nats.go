package link

import (
	"bytes"
	"errors"
	"strconv"
)

// errProtocol ends a connection whose bytes are not what they should be.
var errProtocol = errors.New("link: not the protocol that was expected")

// maxLine bounds a line of a protocol, in bytes.
const maxLine = 64 << 10

// LossyNATS leaves out recorded messages on their way to a node: those on a live
// subject, <namespace>.l.<room>.
func LossyNATS(write func([]byte) error, lose func() bool) func([]byte) error {
	var held []byte
	return func(b []byte) error {
		held = append(held, b...)
		var pass int // so much of held goes on
		for {
			n, live, err := natsFrame(held[pass:])
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if live && lose() {
				if err := flush(write, held[:pass]); err != nil {
					return err
				}
				held, pass = held[pass+n:], 0
				continue
			}
			pass += n
		}
		err := flush(write, held[:pass])
		held = append(held[:0:0], held[pass:]...)
		return err
	}
}

func flush(write func([]byte) error, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return write(b)
}

// natsFrame answers how long the first protocol message is, 0 if it is not all
// here, and whether it is a recorded message:
//
//	MSG <subject> <sid> [reply] <bytes>
//	HMSG <subject> <sid> [reply] <header bytes> <bytes>
func natsFrame(b []byte) (n int, live bool, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxLine {
			return 0, false, errProtocol
		}
		return 0, false, nil
	}
	n = end + 1
	line := bytes.TrimRight(b[:end], "\r")
	if !bytes.HasPrefix(line, []byte("MSG ")) && !bytes.HasPrefix(line, []byte("HMSG ")) {
		return n, false, nil
	}
	words := bytes.Fields(line)
	if len(words) < 4 {
		return 0, false, errProtocol
	}
	size, err := strconv.Atoi(string(words[len(words)-1]))
	if err != nil || size < 0 || size > 64<<20 {
		return 0, false, errProtocol
	}
	if n += size + 2; len(b) < n {
		return 0, false, nil
	}
	parts := bytes.SplitN(words[1], []byte("."), 3)
	return n, len(parts) == 3 && string(parts[1]) == "l", nil
}
