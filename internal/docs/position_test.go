package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/finch-go/finch/broker"
)

var (
	positionNamed  = regexp.MustCompile(`"(?:position|before|after|user|everyone)":"([^"]*)"`)
	positionOfRoom = regexp.MustCompile(`"[a-z]+:[0-9]+":"([^"]*)"`)
)

// TestPositionsOfTheWirePageAreOfTheForm reads each position in the examples of
// docs/protocol.md: who copies one must not be refused with bad_position.
func TestPositionsOfTheWirePageAreOfTheForm(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := append(positionNamed.FindAllSubmatch(text, -1), positionOfRoom.FindAllSubmatch(text, -1)...)
	for _, m := range found {
		if _, err := broker.ParsePosition(string(m[1])); err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
	}
	if len(found) < 15 {
		t.Errorf("only %d positions found", len(found))
	}
}
