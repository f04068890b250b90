package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/finch-go/finch/client"
)

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printable is text from elsewhere as a terminal can take it: what could move the
// cursor or turn the line around is escaped. The joiners and marks that Persian
// and emoji are written with stay.
func printable(s string) string {
	if strings.IndexFunc(s, isUnprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isUnprintable(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isUnprintable(r rune) bool {
	const zeroWidthNonJoiner, rightToLeftMark = '\u200c', '\u200f' // and, between them, the joiner and the other mark
	return !unicode.IsGraphic(r) && (r < zeroWidthNonJoiner || r > rightToLeftMark)
}

// printLine prints one JSON value on a line of its own.
func printLine(w io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// line is a message as a program reads it.
type line struct {
	Room     string          `json:"room,omitempty"`
	Path     string          `json:"path"`
	Time     *time.Time      `json:"time,omitempty"`
	From     string          `json:"from,omitempty"`
	Position string          `json:"position,omitempty"`
	Key      string          `json:"key,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Binary   []byte          `json:"binary,omitempty"` // base64
}

func newLine(m *client.Message) line {
	l := line{Room: m.Room, Path: m.Path, From: m.From, Position: m.Position, Key: m.Key, Data: m.Data, Binary: m.Binary}
	if !m.Time.IsZero() {
		at := m.Time.UTC()
		l.Time = &at
	}
	return l
}

// printMessage prints a message: a line of JSON, or one for a person.
func printMessage(w io.Writer, m *client.Message, forPerson bool) error {
	if !forPerson {
		return printLine(w, newLine(m))
	}
	at := "        "
	if !m.Time.IsZero() {
		at = m.Time.Local().Format(time.TimeOnly)
	}
	who := ""
	if m.From != "" {
		who = printable(m.From) + ": "
	}
	_, err := fmt.Fprintf(w, "%s  %s%s %s\n", at, who, printable(m.Path), content(m))
	return err
}

// printAnswer prints JSON: on one line, or indented for a person.
func printAnswer(w io.Writer, data json.RawMessage, forPerson bool) error {
	var b bytes.Buffer
	if !forPerson {
		if err := json.Compact(&b, data); err != nil {
			return err
		}
		b.WriteByte('\n')
		_, err := w.Write(b.Bytes())
		return err
	}
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return err
	}
	for text := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, printable(strings.TrimSuffix(text, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// content is the data on one line.
func content(m *client.Message) string {
	if m.Binary != nil {
		return fmt.Sprintf("(%d bytes)", len(m.Binary))
	}
	var b bytes.Buffer
	if json.Compact(&b, m.Data) != nil {
		return printable(string(m.Data))
	}
	return printable(b.String())
}
