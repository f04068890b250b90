package redisserver_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/finch-go/finch/internal/redisserver"
)

// programs makes a directory with empty programs, and lets the PATH be that alone.
func programs(t *testing.T, names ...string) (dir string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no redis-server for Windows")
	}
	dir = t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("FINCH_REDIS_SERVER", "")
	return dir
}

func TestProgramIsFound(t *testing.T) {
	for _, row := range []struct {
		there []string
		told  string
		want  string
	}{
		{[]string{"redis-server", "valkey-server"}, "", "redis-server"},
		{[]string{"valkey-server"}, "", "valkey-server"},
		{[]string{"redis-server", "mine"}, "mine", "mine"},
		{[]string{"redis-server"}, "gone", "redis-server"},
	} {
		dir := programs(t, row.there...)
		t.Setenv("FINCH_REDIS_SERVER", row.told)
		got, err := redisserver.Program()
		if want := filepath.Join(dir, row.want); err != nil || got != want {
			t.Errorf("of %q, told %q: %q, %v; want %q", row.there, row.told, got, err, want)
		}
	}
}

// An attempt is a test that writes down how it ended.
type attempt struct{ skipped, failed any }

func (a *attempt) Helper()          {}
func (a *attempt) Skip(why ...any)  { a.skipped = why[0] }
func (a *attempt) Fatal(why ...any) { a.failed = why[0] }

func TestMissingProgramSkipsTestsAndFailsThemInCI(t *testing.T) {
	programs(t)
	if _, err := redisserver.Program(); !errors.Is(err, redisserver.ErrMissing) {
		t.Errorf("the error is %v", err)
	}
	for _, row := range []struct {
		ci, finchCI string
		fails       bool
	}{{"", "", false}, {"true", "", true}, {"", "1", true}} {
		t.Setenv("CI", row.ci)
		t.Setenv("FINCH_CI", row.finchCI)
		var a attempt
		redisserver.Need(&a)
		if (a.failed == redisserver.ErrMissing) != row.fails || (a.skipped == redisserver.ErrMissing) == row.fails {
			t.Errorf("with CI=%q and FINCH_CI=%q: skipped %v, failed %v", row.ci, row.finchCI, a.skipped, a.failed)
		}
	}
}
