package link_test

import (
	"bytes"
	"testing"

	"github.com/finch-go/finch/chaos/internal/link"
)

// pieces hands bytes to a lossy writer in pieces of a size, and answers what
// passed.
func pieces(lossy link.Lossy, lose func() bool, b []byte, size int) (passed []byte, err error) {
	write := lossy(func(b []byte) error { passed = append(passed, b...); return nil }, lose)
	for len(b) > 0 && err == nil {
		n := min(size, len(b))
		err = write(b[:n])
		b = b[n:]
	}
	return passed, err
}

// everySecond loses every second message that it is asked about.
func everySecond() func() bool {
	n := 0
	return func() bool { n++; return n%2 == 0 }
}

func TestOnlyRecordedMessagesAreLostOnTheWayFromNATS(t *testing.T) {
	const (
		info  = "INFO {\"server\":1}\r\n"
		one   = "HMSG finch.l.room 3 12 17\r\nNATS/1.0\r\n\r\nhello\r\n"
		two   = "MSG finch.l.room 3 9\r\nMSG a 1 0\r\n"
		reply = "MSG _INBOX.a.b 1 2\r\n{}\r\n"
		ping  = "PING\r\n"
	)
	for size := 1; size < 80; size++ {
		got, err := pieces(link.LossyNATS, everySecond(), []byte(info+one+two+reply+one+ping), size)
		if want := info + one + reply + one + ping; err != nil || string(got) != want {
			t.Fatalf("in pieces of %d: %q, %v; want %q", size, got, err, want)
		}
	}
}

func TestOnlyPushedMessagesAreLostOnTheWayFromRedis(t *testing.T) {
	const (
		hello = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n"
		sub   = ">3\r\n$10\r\nssubscribe\r\n$1\r\nc\r\n:1\r\n"
		one   = ">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"
		two   = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\na\r\n\r\n"
		null  = "*2\r\n$-1\r\n_\r\n"
	)
	for size := 1; size < 80; size++ {
		got, err := pieces(link.LossyRedis, everySecond(), []byte(hello+sub+one+two+null), size)
		if want := hello + sub + one + null; err != nil || string(got) != want {
			t.Fatalf("in pieces of %d: %q, %v; want %q", size, got, err, want)
		}
	}
}

func TestReplicasGetAll(t *testing.T) {
	const stream = "+PONG\r\n+FULLRESYNC 0123 1\r\n$EOF:0123\r\n>3\r\n$7\r\nmessage\r\n$x*9"
	for size := 1; size < len(stream); size++ {
		if got, err := pieces(link.LossyRedis, func() bool { return true }, []byte(stream), size); err != nil || string(got) != stream {
			t.Fatalf("in pieces of %d: %q, %v", size, got, err)
		}
	}
}

func TestWhatIsNoProtocolEndsTheConnection(t *testing.T) {
	for name, c := range map[string]struct {
		lossy link.Lossy
		text  string
	}{
		"a message without a size":    {link.LossyNATS, "MSG a b c\r\n"},
		"a message of too many words": {link.LossyNATS, "MSG a -7\r\n"},
		"an endless line":             {link.LossyNATS, string(bytes.Repeat([]byte{'a'}, 1<<17))},
		"a string without a length":   {link.LossyRedis, "$x\r\n"},
		"an array within itself":      {link.LossyRedis, string(bytes.Repeat([]byte("*1\r\n"), 40))},
	} {
		if _, err := pieces(c.lossy, everySecond(), []byte(c.text), 1<<10); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func FuzzLossless(f *testing.F) {
	f.Add([]byte("MSG finch.l.a 1 2\r\nab\r\nPING\r\n"), 3, true)
	f.Add([]byte(">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"), 5, false)
	f.Add([]byte("|1\r\n+a\r\n+b\r\n:1\r\n*-1\r\n"), 1, false)
	f.Fuzz(func(t *testing.T, b []byte, size int, nats bool) {
		lossy := link.Lossy(link.LossyRedis)
		if nats {
			lossy = link.LossyNATS
		}
		got, err := pieces(lossy, func() bool { return false }, b, 1+max(0, size)%100)
		if !bytes.HasPrefix(b, got) {
			t.Fatalf("%q became %q", b, got)
		}
		if whole, wholeErr := pieces(lossy, func() bool { return false }, b, max(1, len(b))); (err == nil) != (wholeErr == nil) || err == nil && !bytes.Equal(whole, got) {
			t.Fatalf("in pieces %q, %v; at once %q, %v", got, err, whole, wholeErr)
		}
	})
}
