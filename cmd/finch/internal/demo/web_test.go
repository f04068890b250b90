package demo_test

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
)

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	app := demo.New(nil)
	page := get(t, app, "/")
	if page.Code != http.StatusOK {
		t.Fatal(page.Code)
	}
	links := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(links) < 5 {
		t.Fatalf("the page links to %v", links)
	}
	for _, link := range links {
		if w := get(t, app, link[1]); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: %d", link[1], w.Code)
		}
	}
	for name, body := range webFiles(t) {
		if strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".woff2") {
			continue
		}
		for _, address := range regexp.MustCompile(`https?://[^\s"')]+`).FindAllString(body, -1) {
			if address != "http://www.w3.org/2000/svg" { // a name, not an address
				t.Errorf("%s mentions %s", name, address)
			}
		}
	}
}

func TestEveryModuleAndSheetIsThere(t *testing.T) {
	app := demo.New(nil)
	for name, body := range webFiles(t) {
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		for _, from := range regexp.MustCompile(`from '([^']+)'`).FindAllStringSubmatch(body, -1) {
			path := "/assets/" + filepath.ToSlash(filepath.Join(filepath.Dir(name), from[1]))
			if w := get(t, app, path); w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
				t.Errorf("%s imports %s: %d %s", name, from[1], w.Code, w.Header().Get("Content-Type"))
			}
		}
	}
}

func TestThePageIsGuarded(t *testing.T) {
	app := demo.New(nil)
	h := get(t, app, "/").Header()
	policy := h.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, rule) {
			t.Errorf("the policy lacks %s: %s", rule, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", h)
	}
	page := get(t, app, "/").Body.String()
	if regexp.MustCompile(`(?i)\son[a-z]+=|style="|<style|<script>`).MatchString(page) {
		t.Error("the page has inline script or style, which its own policy forbids")
	}
}

func TestAnUnchangedAssetIsNotSentAgain(t *testing.T) {
	app := demo.New(nil)
	first := get(t, app, "/assets/js/main.js")
	again := get(t, app, "/assets/js/main.js", "If-None-Match", first.Header().Get("ETag"))
	if first.Code != http.StatusOK || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("first %d, then %d with %d bytes", first.Code, again.Code, again.Body.Len())
	}
	for _, path := range []string{"/assets/", "/assets/nothing.js", "/assets/..%2fdemo.go", "/nothing"} {
		if w := get(t, app, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestSheetsKnowNoLeftAndRight(t *testing.T) {
	physical := regexp.MustCompile(`(?m)(^|[\s;{])((margin|padding|border)-(left|right|top|bottom)\b|(left|right|width|height|max-width|min-width)\s*:|(text-align|float)\s*:\s*(left|right))`)
	for name, body := range webFiles(t) {
		if !strings.HasSuffix(name, ".css") {
			continue
		}
		body = regexp.MustCompile(`@media[^{]+`).ReplaceAllString(body, "")
		if found := physical.FindString(body); found != "" {
			t.Errorf("%s has %q: a right-to-left page needs the logical property", name, found)
		}
	}
}

var word = regexp.MustCompile(`(?m)^  '([^']+)': '(.*)',$`)

func words(t *testing.T, language string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range word.FindAllStringSubmatch(webFiles(t)["i18n/"+language+".js"], -1) {
		if _, twice := found[m[1]]; twice {
			t.Errorf("%s has %s twice", language, m[1])
		}
		found[m[1]] = m[2]
	}
	if len(found) < 50 {
		t.Fatalf("%s has %d entries", language, len(found))
	}
	return found
}

func TestBothLanguagesSayTheSameThings(t *testing.T) {
	en, fa := words(t, "en"), words(t, "fa")
	place := regexp.MustCompile(`\{\w+\}`)
	places := func(s string) []string {
		return slices.Sorted(slices.Values(place.FindAllString(s, -1)))
	}
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if _, ok := fa[key]; !ok {
			t.Errorf("Persian lacks %s", key)
		} else if !slices.Equal(places(en[key]), places(fa[key])) {
			t.Errorf("%s fills in %v in English and %v in Persian", key, places(en[key]), places(fa[key]))
		}
	}
	for key := range fa {
		if _, ok := en[key]; !ok {
			t.Errorf("English lacks %s", key)
		}
	}
	page := webFiles(t)["index.html"]
	for _, m := range regexp.MustCompile(`data-t(-label|-placeholder)?="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if en[m[2]] == "" {
			t.Errorf("the page asks for %s, which has no words", m[2])
		}
	}
	for _, m := range regexp.MustCompile(`data-t="([^"]+)"[^>]*>([^<]+)<`).FindAllStringSubmatch(page, -1) {
		if en[m[1]] != m[2] {
			t.Errorf("the page says %q where English says %q", m[2], en[m[1]])
		}
	}
}

func TestPersianIsSpeltAsPersian(t *testing.T) {
	faults := []struct{ what, pattern string }{
		{"an Arabic yeh or kaf", `[يىك]`},
		{"an Arabic digit", `[٠-٩]`},
		{"a Latin digit in prose", `[\p{Arabic}‌] ?[0-9]|[0-9] ?\p{Arabic}`},
		{"a prefix without its half-space", `(^|\s)(ن?می|نمی) \p{Arabic}`},
		{"a plural without its half-space", `\p{Arabic} ها(ی|یی)?(\s|[.،؛:!]|$)`},
		{"a Latin comma or question mark", `\p{Arabic}[,?;]`},
		{"straight quotes", `"`},
	}
	for key, text := range words(t, "fa") {
		for _, fault := range faults {
			if found := regexp.MustCompile(fault.pattern).FindString(text); found != "" {
				t.Errorf("%s has %s: %q in %q", key, fault.what, found, text)
			}
		}
	}
}

func webFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS("web"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join("web", name))
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
