package ts_test

import (
	"bytes"
	"testing"

	"github.com/finch-go/finch/clients/ts"
)

// That it is fresh, and works, is for the tests in test.
func TestScriptsAreOneModuleEach(t *testing.T) {
	for _, row := range []struct {
		name, export string
		script       []byte
	}{{"Script", "connect", ts.Script}, {"Tabs", "tabs", ts.Tabs}} {
		if !bytes.HasPrefix(row.script, []byte("/*! Finch client. Licensed under the Apache License 2.0. */\n")) {
			t.Errorf("%s begins with %.60q", row.name, row.script)
		}
		if !bytes.Contains(row.script, []byte("as "+row.export+"}")) || bytes.Contains(bytes.ReplaceAll(row.script, []byte("import.meta"), nil), []byte("import")) {
			t.Errorf("%s exports no %s, or imports something", row.name, row.export)
		}
		if n := len(row.script); n > 32<<10 {
			t.Errorf("%s has %d bytes", row.name, n)
		}
	}
}
