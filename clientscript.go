package finch

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/finch-go/finch/clients/ts"
)

// ClientScript returns a handler that serves the client for browsers, with
// rooms, recovery and presence, as one ECMAScript module: no npm needed.
//
//	http.Handle("/finch.js", finch.ClientScript())
//
//	<script type="module">
//	  import { connect } from '/finch.js';
//	  const room = connect('/ws').room('chat:7');
//	</script>
//
// Browsers keep it and ask whether it has changed (an ETag of its bytes), so that
// a page and its server are never of two versions.
func ClientScript() http.Handler { return script("finch.js", ts.Script) }

// TabsScript returns a handler that serves what gives all tabs of a browser one
// connection, beside [ClientScript]: a page that does not ask for it does not load
// it. It is one ECMAScript module that is also the script of the shared worker.
//
//	http.Handle("/finch-tabs.js", finch.TabsScript())
//
//	<script type="module">
//	  import { connect } from '/finch.js';
//	  import { tabs } from '/finch-tabs.js';
//	  const client = connect('/ws', { WebSocket: tabs() });
//	</script>
func TabsScript() http.Handler { return script("finch-tabs.js", ts.Tabs) }

func script(name string, body []byte) http.Handler {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "no-cache") // kept, and asked for again
		h.Set("ETag", tag)
		h.Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
	})
}
