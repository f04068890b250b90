package link

import (
	"bytes"
	"strconv"
)

// LossyRedis leaves out what was published to a channel of one connection:
// pushes of RESP3 that are a message or smessage.
func LossyRedis(write func([]byte) error, lose func() bool) func([]byte) error {
	var held []byte
	replica := false
	return func(b []byte) error {
		if replica {
			return flush(write, b)
		}
		held = append(held, b...)
		var pass int
		for {
			n, err := redisValue(held[pass:], 0)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if beginsReplication(held[pass : pass+n]) {
				replica = true // what follows is a copy of the data, and then commands
				return flush(write, held)
			}
			if redisMessage(held[pass:pass+n]) && lose() {
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

// beginsReplication tells whether a value is the answer to a replica: it may be
// followed by anything.
func beginsReplication(value []byte) bool {
	return bytes.HasPrefix(value, []byte("+FULLRESYNC")) || bytes.HasPrefix(value, []byte("+CONTINUE"))
}

func redisMessage(value []byte) bool {
	return bytes.HasPrefix(value, []byte(">3\r\n$8\r\nsmessage\r\n")) || bytes.HasPrefix(value, []byte(">3\r\n$7\r\nmessage\r\n"))
}

// maxNesting bounds the depth of a value.
const maxNesting = 16

// redisValue answers how long the first value of RESP3 is; 0 if it is not all
// here.
func redisValue(b []byte, depth int) (n int, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxLine {
			return 0, errProtocol
		}
		return 0, nil
	}
	n = end + 1
	count, numbered := 0, false
	if end > 1 {
		c, err := strconv.Atoi(string(bytes.TrimRight(b[1:end], "\r")))
		count, numbered = c, err == nil
	}
	each := 1
	switch b[0] {
	case '$', '=', '!':
		if !numbered || count > 512<<20 {
			return 0, errProtocol
		}
		if count >= 0 {
			n += count + 2
		}
		if len(b) < n {
			return 0, nil
		}
		return n, nil
	case '%', '|':
		each = 2
	case '*', '>', '~':
	default:
		return n, nil
	}
	if !numbered || depth > maxNesting {
		return 0, errProtocol
	}
	if b[0] == '|' {
		each = 2
	}
	for range count * each {
		inner, err := redisValue(b[n:], depth+1)
		if inner == 0 || err != nil {
			return 0, err
		}
		n += inner
	}
	if b[0] == '|' { // an attribute comes before the value that it describes
		inner, err := redisValue(b[n:], depth+1)
		if inner == 0 || err != nil {
			return 0, err
		}
		n += inner
	}
	return n, nil
}
