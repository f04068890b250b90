package demo

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/finch-go/finch"
)

// text is what somebody typed, without the space around it: 1 to most
// characters, else an error that says so to the client.
func text(typed string, most int, code, what string) (string, error) {
	typed = strings.TrimSpace(typed)
	if n := utf8.RuneCountInString(typed); n < 1 || n > most {
		return "", finch.Errorf(422, code, "%s has 1 to %d characters, not %d", what, most, n)
	}
	return typed, nil
}

// line is a text that has to fit on one line, like a name.
func line(typed string, most int, code, what string) (string, error) {
	typed, err := text(typed, most, code, what)
	if err == nil && strings.ContainsFunc(typed, unicode.IsControl) {
		err = finch.Errorf(422, code, "%s has no line breaks and no control characters", what)
	}
	return typed, err
}

// isText refuses what text would have to change.
func isText(typed string, most int, code, what string) error {
	clean, err := text(typed, most, code, what)
	return unchanged(typed, clean, err, code, what)
}

// isLine refuses what line would have to change.
func isLine(typed string, most int, code, what string) error {
	clean, err := line(typed, most, code, what)
	return unchanged(typed, clean, err, code, what)
}

func unchanged(typed, clean string, err error, code, what string) error {
	if err == nil && clean != typed {
		return finch.Errorf(422, code, "%s has no space around it", what)
	}
	return err
}
