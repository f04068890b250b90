package finch

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/finch-go/finch/protocol"
)

// Handshake is what a socket keeps of the HTTP request that opened it: a
// compact copy, without the request's context, body and connection. It does
// not change and may be read by any goroutine.
//
// Tokens are never kept: no Authorization header, no finch.token subprotocol.
type Handshake struct {
	block    string // "Name: value\n", as many as are kept
	uri      string
	addr     netip.Addr
	language string
	counted  bool // by addresses
}

// Header returns the headers that were kept, parsed anew at each call, so
// that the caller may change the result. See
// [SocketManagerOptions].KeepHeaders.
func (h *Handshake) Header() http.Header {
	header := make(http.Header)
	for line := range strings.SplitSeq(h.block, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			header[name] = append(header[name], value)
		}
	}
	return header
}

// URL returns the address that was asked for, with its query, parsed anew at
// each call.
func (h *Handshake) URL() *url.URL {
	u, err := url.ParseRequestURI(h.uri)
	if err != nil { // net/http has parsed it before
		return new(url.URL)
	}
	return u
}

// RemoteAddr returns the client's address: of the direct peer, or the one
// that a trusted proxy reported ([SocketManagerOptions].TrustedProxies). It
// is the zero Addr for a connection that has none, such as a pipe.
func (h *Handshake) RemoteAddr() netip.Addr { return h.addr }

// Language returns the language tag that the client likes best, such as
// "fa-IR"; empty if it named none.
func (h *Handshake) Language() string { return h.language }

// neverKept are headers that hold credentials or only concern the handshake.
var neverKept = []string{
	"Authorization", "Proxy-Authorization",
	"Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions",
}

// newHandshake copies what is kept of r. keep names the headers; nil is all.
func newHandshake(r *http.Request, keep []string, trusted []netip.Prefix) *Handshake {
	return &Handshake{
		block:    headerBlock(r, keep),
		uri:      strings.Clone(r.URL.RequestURI()),
		addr:     clientAddr(r, trusted),
		language: language(r.Header),
	}
}

func headerBlock(r *http.Request, keep []string) string {
	if keep != nil && len(keep) == 0 {
		return ""
	}
	var b strings.Builder
	write := func(name, value string) {
		if keep != nil && !slices.ContainsFunc(keep, func(k string) bool { return textproto.CanonicalMIMEHeaderKey(k) == name }) {
			return
		}
		b.WriteString(name)
		b.WriteString(": ")
		b.WriteString(value)
		b.WriteByte('\n')
	}
	write("Host", r.Host) // net/http takes it out of the headers
	for name, values := range r.Header {
		if slices.Contains(neverKept, name) {
			continue
		}
		for _, v := range values {
			if name == "Sec-Websocket-Protocol" {
				v = withoutTokens(v)
			}
			if v != "" && !strings.ContainsAny(v, "\r\n") {
				write(name, v)
			}
		}
	}
	return strings.Clone(b.String()) // a builder rounds its memory up
}

// withoutTokens drops the token from a list of subprotocols.
func withoutTokens(list string) string {
	var kept []string
	for p := range strings.SplitSeq(list, ",") {
		if p = strings.Trim(p, " \t"); p != "" && !strings.HasPrefix(p, protocol.SubprotocolTokenPrefix) {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ", ")
}

// clientAddr answers who is at the other end. X-Forwarded-For is believed as
// far as the chain of trusted proxies reaches: from the right, the first
// address that no trusted proxy has is the client's.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap()
	hops := headerList(r.Header, "X-Forwarded-For")
	for i := len(hops) - 1; i >= 0 && isTrusted(addr, trusted); i-- {
		hop, err := netip.ParseAddr(hops[i])
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}
