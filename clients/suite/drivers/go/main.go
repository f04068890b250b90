// Command go is the driver of the Go client: it does with it what the suite says,
// and tells the suite what the client shows. ../../README.md has the protocol.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/finch-go/finch/client"
)

// A command is what the suite says.
type command struct {
	Do      string          `json:"do"`
	Client  string          `json:"client"`
	Ref     int             `json:"ref"`
	URL     string          `json:"url"`
	Options options         `json:"options"`
	Path    string          `json:"path"`
	Data    json.RawMessage `json:"data"`
	Bytes   *[]byte         `json:"bytes"`
	Room    string          `json:"room"`
	Key     string          `json:"key"`
	Echo    *bool           `json:"echo"`
	Before  string          `json:"before"`
	After   string          `json:"after"`
	Limit   int             `json:"limit"`
	Watch   bool            `json:"watch"`
	Timeout float64         `json:"timeout"`
	behaviour
}

// behaviour is how a handler behaves.
type behaviour struct {
	Answer      json.RawMessage `json:"answer"`
	AnswerBytes []byte          `json:"answer_bytes"`
	Fail        *client.Error   `json:"fail"`
	Throws      bool            `json:"throws"`
	Delay       float64         `json:"delay"`
	Then        []command       `json:"then"`
}

// A report is what the suite is told.
type report map[string]any

func main() {
	if err := drive(context.Background(), os.Getenv("FINCH_SUITE_CONTROL")); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

// drive does what the suite says until it hangs up.
func drive(ctx context.Context, address string) error {
	control, err := dialControl(ctx, address)
	if err != nil {
		return err
	}
	defer control.close()
	if err := control.write(report{"saw": "ready", "name": "finch for Go"}); err != nil {
		return err
	}
	actors := make(map[string]*actor)
	var mu sync.Mutex
	for {
		text, err := control.read()
		if err != nil {
			return nil // the suite is over
		}
		var cmd command
		if err := json.Unmarshal(text, &cmd); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		mu.Lock()
		a := actors[cmd.Client]
		switch {
		case cmd.Do == "new":
			a = newActor(cmd.Client, control)
			actors[cmd.Client] = a
		case cmd.Do == "forget":
			delete(actors, cmd.Client)
		}
		mu.Unlock()
		if a != nil {
			a.tell(cmd)
		}
	}
}
