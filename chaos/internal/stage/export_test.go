package stage

import (
	"bufio"
	"strings"
)

// ReadAnswer reads one answer of a server of Redis.
func ReadAnswer(text string) (string, error) {
	return readAnswer(bufio.NewReader(strings.NewReader(text)), 0)
}
