package story

import (
	"errors"
	"strconv"
	"strings"
)

// A position is where a reader stands in a room, as the wire writes it:
// epoch.offset.tag.
type position struct {
	epoch  string
	offset uint64
	tag    string
}

var errPosition = errors.New("no position of the form epoch.offset.tag")

func parsePosition(text string) (p position, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return p, errPosition
	}
	p.epoch, p.tag = parts[0], parts[2]
	if p.offset, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return p, errPosition
	}
	if _, err = strconv.ParseUint(p.tag, 16, 64); err != nil || p.epoch == "" {
		return p, errPosition
	}
	return p, nil
}

// empty tells whether it is the position of a room in which nothing is: it names
// no message.
func (p position) empty() bool { return strings.Trim(p.tag, "0") == "" }
