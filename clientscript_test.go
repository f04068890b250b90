package finch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

func TestScriptsAreModulesThatAreAskedForOnce(t *testing.T) {
	tags := map[string]bool{}
	for name, h := range map[string]http.Handler{"client": finch.ClientScript(), "tabs": finch.TabsScript()} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/finch.js", nil))
		body, tag := w.Body.String(), w.Header().Get("ETag")
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") || !strings.Contains(body, "export{") || tag == "" || tags[tag] {
			t.Errorf("%s: %d %v, %d bytes", name, w.Code, w.Header(), len(body))
		}
		tags[tag] = true
		r := httptest.NewRequest("GET", "/finch.js", nil)
		r.Header.Set("If-None-Match", tag)
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("%s, asked again: %d, %d bytes", name, w.Code, w.Body.Len())
		}
	}
}
