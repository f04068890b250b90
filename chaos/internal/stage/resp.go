package stage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// respTimeout bounds one question to a server that should answer at once.
const respTimeout = time.Second

// call asks a server of Redis on a connection of its own. Lists come as one text
// with a line for each element.
func call(ctx context.Context, port int, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, respTimeout)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer c.Close()
	end, _ := ctx.Deadline()
	c.SetDeadline(end)
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return "", err
	}
	answer, err := readAnswer(bufio.NewReader(c), 0)
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return answer, err
}

// What an answer may be at most: bytes of a text, elements of a list, lists in lists.
const (
	answerBytes = 16 << 20
	answerMost  = 1 << 16
	answerDepth = 4
)

var errAnswer = errors.New("not an answer of Redis")

func readAnswer(r *bufio.Reader, depth int) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errAnswer
	}
	n := 0
	if line[0] == '$' || line[0] == '*' {
		if n, err = strconv.Atoi(line[1:]); err != nil || n > answerBytes || line[0] == '*' && (n > answerMost || depth == answerDepth) {
			return "", errAnswer
		}
	}
	switch line[0] {
	case '-':
		return "", errors.New(line[1:])
	case '$':
		if n < 0 {
			return "", nil
		}
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	case '*':
		var all []string
		for range n {
			one, err := readAnswer(r, depth+1)
			if err != nil {
				return "", err
			}
			all = append(all, one)
		}
		return strings.Join(all, "\n"), nil
	}
	return line[1:], nil
}

// field answers a field of the answer to INFO or CLUSTER INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
