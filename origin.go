package finch

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// originAllowed decides whether a page of another origin may connect. A
// browser always sends Origin with a WebSocket handshake, and sends cookies
// with it wherever the page came from: this check is what keeps foreign pages
// from acting as the user (RFC 6455 section 10.2).
//
// Allowed are: no Origin (not a browser), the host that was asked for, a
// loopback origin for a loopback host on any port (development), and what
// allowed names: "https://app.example.com", a host pattern like
// "*.example.com", or "*".
func originAllowed(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" {
		if strings.EqualFold(u.Host, r.Host) {
			return true
		}
		if isLoopback(u.Hostname()) && isLoopback(hostname(r.Host)) {
			return true
		}
	}
	for _, a := range allowed {
		switch {
		case a == "*", strings.EqualFold(a, origin):
			return true
		case err == nil && u.Host != "" && !strings.Contains(a, "://"):
			if ok, _ := path.Match(strings.ToLower(a), strings.ToLower(u.Host)); ok {
				return true
			}
		}
	}
	return false
}

func hostname(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
