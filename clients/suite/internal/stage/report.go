package stage

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A Report is what a driver says that the client's user saw. README.md of the
// suite says which fields come with which kind.
type Report struct {
	Saw    string `json:"saw"`
	Client string `json:"client"`
	Ref    int    `json:"ref"`

	Name  string   `json:"name"`
	Lacks []string `json:"lacks"`

	State  string   `json:"state"`
	Reason string   `json:"reason"`
	Delay  *float64 `json:"delay"`
	// Code is a number in the report of a state and a text in that of an error.
	Code json.RawMessage `json:"code"`

	Path      string          `json:"path"`
	Data      json.RawMessage `json:"data"`
	Bytes     *string         `json:"bytes"`
	Room      string          `json:"room"`
	To        string          `json:"to"`
	From      string          `json:"from"`
	Key       string          `json:"key"`
	Position  string          `json:"position"`
	Recovered *bool           `json:"recovered"`
	Missed    int             `json:"missed"`
	Duplicate bool            `json:"duplicate"`
	Status    int             `json:"status"`
	Message   string          `json:"message"`
	Messages  []Report        `json:"messages"`
	More      bool            `json:"more"`
	Members   []string        `json:"members"`
	Count     int             `json:"count"`
	Do        string          `json:"do"`

	text string
}

// ParseReport reads one message of a driver.
func ParseReport(text []byte) (Report, error) {
	r := Report{text: string(text)}
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("the driver reported %s: %w", text, err)
	}
	if r.Saw == "" {
		return Report{}, fmt.Errorf("the driver reported %s: saw is missing", text)
	}
	if r.Client == "" && r.Saw != "ready" {
		return Report{}, fmt.Errorf("the driver reported %s: client is missing", text)
	}
	return r, nil
}

// String returns the report as it came.
func (r Report) String() string { return r.text }

// CloseCode returns the code of a state's report; 0 if it has none.
func (r Report) CloseCode() int {
	var n int
	json.Unmarshal(r.Code, &n)
	return n
}

// ErrorCode returns the code of an error's report; empty if it has none.
func (r Report) ErrorCode() string {
	var s string
	json.Unmarshal(r.Code, &s)
	return s
}

// JSON returns the data as compact JSON; null if there is none.
func (r Report) JSON() string {
	if len(r.Data) == 0 {
		return "null"
	}
	return compact(r.Data)
}

// Binary returns the bytes of a message; ok is false if it had none or if they
// are no base64.
func (r Report) Binary() (b []byte, ok bool) {
	if r.Bytes == nil {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(*r.Bytes)
	return b, err == nil
}
