package nats

import "encoding/base64"

// Subjects of NATS are tokens with dots between them, and dots, spaces, * and >
// mean something there. A room's name may hold any bytes, so it travels as a
// token: itself where it is harmless and short, else = and its base64. What the
// node writes for itself begins with ~, which no such token does.

const plainToken = 64 // the longest name that stands for itself

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func plain(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= plainToken
}

// tokenOf returns the token of a name. Two names have two tokens.
func tokenOf(name string) string {
	if plain(name) {
		return name
	}
	return "=" + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// nameOf returns the name whose token is given. Whatever tokenOf does not make is
// refused, so that one name never has two tokens.
func nameOf(token string) (string, bool) {
	if plain(token) {
		return token, true
	}
	if token == "" || token[0] != '=' {
		return "", false
	}
	name, err := base64.RawURLEncoding.Strict().DecodeString(token[1:])
	if err != nil || plain(string(name)) || tokenOf(string(name)) != token {
		return "", false
	}
	return string(name), true
}

// headerOf makes the value of a header from any bytes: itself where a header can
// carry it, else = and its base64.
func headerOf(text string) string {
	harmless := len(text) == 0 || text[0] != '=' && text[0] != ' ' && text[len(text)-1] != ' '
	for i := 0; i < len(text) && harmless; i++ {
		harmless = text[i] >= ' ' && text[i] < 0x7f
	}
	if harmless {
		return text
	}
	return "=" + base64.RawURLEncoding.EncodeToString([]byte(text))
}

// textOf is the other way. What no headerOf made stands for itself: anybody who
// may write to the streams can write anything.
func textOf(header string) string {
	if len(header) == 0 || header[0] != '=' {
		return header
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(header[1:])
	if err != nil {
		return header
	}
	return string(text)
}
