package protocol_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/finch-go/finch/protocol"
)

const page = "../docs/protocol.md"

// TestPageHasTheTables compares the tables of the page for client authors with
// those of this package: between a marker and the next empty line.
func TestPageHasTheTables(t *testing.T) {
	var refusals, statuses, codes strings.Builder
	refusals.WriteString("| code | status | meaning |\n|---|---|---|\n")
	for _, r := range protocol.Refusals() {
		fmt.Fprintf(&refusals, "| `%s` | %d | %s |\n", r.Code, r.Status, r.Meaning)
	}
	statuses.WriteString("| status | meaning |\n|---|---|\n")
	for _, s := range protocol.Statuses() {
		fmt.Fprintf(&statuses, "| %d | %s |\n", s.Status, s.Meaning)
	}
	codes.WriteString("| code | name | meaning | the client |\n|---|---|---|---|\n")
	for _, c := range protocol.CloseCodes() {
		fmt.Fprintf(&codes, "| %d | %s | %s | %s |\n", c.Code, c.Name, c.Meaning, c.Action)
	}
	text := readPage(t)
	for _, c := range []struct{ name, want string }{
		{"refusals", refusals.String()}, {"statuses", statuses.String()}, {"close codes", codes.String()},
	} {
		_, after, found := strings.Cut(text, "<!-- table: "+c.name+" -->\n")
		got, _, _ := strings.Cut(after, "\n\n")
		if !found || got+"\n" != c.want {
			t.Errorf("%s: the table of %s differs; it should be\n%s", page, c.name, c.want)
		}
	}
}

// TestExamplesOfThePageAreEnvelopes parses each JSON example of the page, line
// by line.
func TestExamplesOfThePageAreEnvelopes(t *testing.T) {
	n := 0
	blocks := strings.Split(readPage(t), "```json\n")
	for _, block := range blocks[1:] {
		example, _, _ := strings.Cut(block, "\n```")
		for line := range strings.SplitSeq(example, "\n") {
			n++
			e, err := protocol.Parse([]byte(line), protocol.ParseOptions{})
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			if e.Timestamp != 0 { // the server's: written by Append
				if got := string(protocol.Append(nil, &e)); got != line {
					t.Errorf("the server would write\n%s\nnot\n%s", got, line)
				}
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d examples found", n)
	}
}

func TestBinaryExampleOfThePageIsABinaryMessage(t *testing.T) {
	_, block, _ := strings.Cut(readPage(t), "```text\n")
	block, _, _ = strings.Cut(block, "\n```")
	var digits string
	for line := range strings.SplitSeq(block, "\n") {
		octets, _, _ := strings.Cut(line, "   ")
		digits += strings.ReplaceAll(octets, " ", "")
	}
	frame, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	e, payload, err := protocol.ParseBinary(frame, protocol.ParseOptions{})
	if err != nil || e.Path != "photo" || string(payload) != "\x89PNG" {
		t.Errorf("got %+v, %q, %v", e, payload, err)
	}
}

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
