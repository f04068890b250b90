package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/clients/suite/internal/scenarios"
	"github.com/finch-go/finch/clients/suite/internal/stage"
)

// build builds one of the drivers, with the race detector if this test has it.
func build(t *testing.T, driver string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "driver")
	args := []string{"build", "-o", program}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "./drivers/"+driver)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func TestTheGoClientPassesTheSuite(t *testing.T) {
	var out bytes.Buffer
	results, err := stage.Run(t.Context(), scenarios.All(), stage.Config{Driver: build(t, "go"), Strict: true, Out: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("%s: %s\n%v", r.Scenario.Name, r.Scenario.Checks, r.Err)
		}
	}
	if strings.Contains(out.String(), "DATA RACE") {
		t.Errorf("the driver has a data race:\n%s", &out)
	}
}

func TestScenariosHaveNamesAndSayWhatTheyCheck(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios.All() {
		switch {
		case seen[s.Name]:
			t.Errorf("two scenarios are called %s", s.Name)
		case strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			t.Errorf("%q is a part of an address: small letters, digits and dashes", s.Name)
		case !strings.HasSuffix(s.Checks, "."):
			t.Errorf("%s does not say in a sentence what it checks: %q", s.Name, s.Checks)
		}
		seen[s.Name] = true
	}
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios.All() {
		for _, feature := range s.Needs {
			if !strings.Contains(string(page), "`"+feature+"`") {
				t.Errorf("README.md does not name the feature %s, which %s needs", feature, s.Name)
			}
		}
	}
}

// one is a scenario that a client passes which does anything at all.
var one = []stage.Scenario{
	{Name: "one", Checks: "It opens.", Play: func(s *stage.Stage) { s.Client(nil).Open("") }},
	{Name: "two", Checks: "It opens.", Needs: []string{"rooms"}, Play: func(s *stage.Stage) { s.Client(nil).Open("") }},
}

func TestADriverThatIsNoneIsSaid(t *testing.T) {
	for command, want := range map[string]string{
		"":                         "no command",
		"./no-such-program":        "cannot start",
		os.Args[0] + " -test.list": "exited before it connected",
	} {
		begun := time.Now()
		_, err := stage.Run(t.Context(), one, stage.Config{Driver: command})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", command, err, want)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%q: that took %v", command, took)
		}
	}
}
