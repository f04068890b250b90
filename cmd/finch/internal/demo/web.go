package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/clients/ts"
)

//go:embed web
var web embed.FS

// asset is an embedded file as it is served.
type asset struct {
	name, kind, etag string
	body             []byte
}

// kinds are the assets' media types. The operating system's own table is not
// asked: it differs from machine to machine.
var kinds = map[string]string{
	".css":   "text/css; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// pagePolicy lets the page use what this server gives, and nothing else: no
// inline script, no other host, no frame around it. 'self' includes the
// WebSocket of the same host, and the worker that tabs share, whose address is
// made by the one trusted policy.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types finch-tabs"

// pageRoutes serve the page and what it needs.
func pageRoutes() []finch.Route {
	assets, err := readAssets()
	if err != nil {
		panic(fmt.Sprintf("demo: the embedded page is not readable: %v", err)) // the build is broken
	}
	return []finch.Route{
		{Key: "page", Path: "/", Index: func(rq *finch.Request) error {
			assets["index.html"].ServeHTTP(rq.Writer, rq.Request)
			return nil
		}},
		{Key: "assets", Path: "/assets/{file...}", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a, ok := assets[r.PathValue("file")]
			if !ok {
				http.NotFound(w, r)
				return
			}
			a.ServeHTTP(w, r)
		})},
	}
}

func readAssets() (map[string]*asset, error) {
	assets := make(map[string]*asset)
	err := fs.WalkDir(web, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := web.ReadFile(name)
		if err != nil {
			return err
		}
		kind, ok := kinds[path.Ext(name)]
		if !ok {
			return fmt.Errorf("%s has no media type in kinds", name)
		}
		assets[strings.TrimPrefix(name, "web/")] = newAsset(name, kind, body)
		return nil
	})
	assets[clientScript] = newAsset(clientScript, kinds[".js"], ts.Script)
	assets[tabsScript] = newAsset(tabsScript, kinds[".js"], ts.Tabs)
	return assets, err
}

// clientScript and tabsScript are where the page finds the client. They are no
// files of the page: every server can hand them out like that.
const (
	clientScript = "js/finch-client.js"
	tabsScript   = "js/finch-tabs.js"
)

func newAsset(name, kind string, body []byte) *asset {
	sum := sha256.Sum256(body)
	return &asset{
		name: path.Base(name), kind: kind, body: body,
		etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
	}
}

// ServeHTTP serves the asset. Browsers ask each time and are told 304 while
// the program is the same, so a new build is never seen through an old cache.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.body))
}
