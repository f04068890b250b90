package demo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
)

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestTheSourceIsTheOneThatWasCompiled(t *testing.T) {
	app := demo.New(nil)
	var names []string
	if err := json.Unmarshal(get(t, app, "/source").Body.Bytes(), &names); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"echo.go", "chat.go", "notify.go", "counts.go", "guide.go", "demo.go", "idle.go", "quickstart.go"} {
		if !slices.Contains(names, want) {
			t.Errorf("/source does not list %s: %v", want, names)
		}
	}
	for _, name := range names {
		file := name
		if name == "quickstart.go" {
			file = filepath.Join("quickstart", "main.go")
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w := get(t, app, "/source/"+name)
		if w.Code != http.StatusOK || w.Body.String() != string(want) {
			t.Errorf("%s: %d, not the file of this package", name, w.Code)
		}
		if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%s is served as %s", name, kind)
		}
	}
}

func TestOnlyListedSourceIsServed(t *testing.T) {
	app := demo.New(nil)
	for _, path := range []string{"/source/nothing.go", "/source/source_test.go", "/source/..%2fmain.go", "/source/%2e%2e", "/source/quickstart%2fmain.go"} {
		if w := get(t, app, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %.40s", path, w.Code, w.Body)
		}
	}
}

func TestTheProgramOfThePageHasFifteenLines(t *testing.T) {
	lines := 0
	for line := range strings.Lines(get(t, demo.New(nil), "/source/quickstart.go").Body.String()) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if lines != 15 {
		t.Errorf("it has %d lines; the page says fifteen", lines)
	}
}
