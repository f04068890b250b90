package ts_test

import (
	"bytes"
	"testing"

	"github.com/finch-go/finch/clients/ts"
)

// That it is fresh, and works, is for the tests in test.
func TestScriptIsOneModule(t *testing.T) {
	if !bytes.HasPrefix(ts.Script, []byte("/*! Finch client. Licensed under the Apache License 2.0. */\n")) {
		t.Errorf("it begins with %.60q", ts.Script)
	}
	if !bytes.Contains(ts.Script, []byte("as connect}")) || bytes.Contains(ts.Script, []byte("import")) {
		t.Error("it exports no connect, or imports something")
	}
	if n := len(ts.Script); n > 32<<10 {
		t.Errorf("it has %d bytes", n)
	}
}
