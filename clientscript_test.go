package finch_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

func TestClientScriptIsAModuleThatIsAskedForOnce(t *testing.T) {
	h := finch.ClientScript()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/finch.js", nil))
	body, tag := w.Body.String(), w.Header().Get("ETag")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") || !strings.Contains(body, "export{") || tag == "" {
		t.Errorf("%d %v, %d bytes", w.Code, w.Header(), len(body))
	}
	r := httptest.NewRequest("GET", "/finch.js", nil)
	r.Header.Set("If-None-Match", tag)
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("asked again: %d, %d bytes", w.Code, w.Body.Len())
	}
}
