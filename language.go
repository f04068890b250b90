package finch

import (
	"net/http"
	"strconv"
	"strings"
	"unique"
)

// maxLanguages bounds how many entries of an Accept-Language header are read.
const maxLanguages = 32

// language answers the language tag that the client likes best, as it wrote
// it ("fa-IR"), from Accept-Language (RFC 9110 section 12.5.4); empty if it
// names none. Of equally liked ones the first wins.
func language(h http.Header) string {
	best, bestQ := "", 0.0
	read := 0
	for _, line := range h["Accept-Language"] {
		for item := range strings.SplitSeq(line, ",") {
			if read++; read > maxLanguages {
				break
			}
			tag, params, _ := strings.Cut(item, ";")
			tag = strings.Trim(tag, " \t")
			if !isLanguageTag(tag) {
				continue
			}
			if q := quality(params); q > bestQ {
				best, bestQ = tag, q
			}
		}
	}
	// There are few languages and many sockets: one copy of each is kept, and
	// none of them holds on to the header it was read from.
	return unique.Make(strings.Clone(best)).Value()
}

// quality reads the q parameter: 1 without one, 0 where it makes no sense.
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.Trim(p, " \t"), "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.Trim(value, " \t"), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}

// isLanguageTag accepts what a language tag is made of (RFC 5646); "*" names
// no language.
func isLanguageTag(tag string) bool {
	if tag == "" || len(tag) > 35 {
		return false
	}
	for i := 0; i < len(tag); i++ {
		c := tag[i]
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9' && i > 0, c == '-' && i > 0:
		default:
			return false
		}
	}
	return true
}
