package main_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/internal/frame"
)

// TestMain lets this program be a driver that is of no use, in the way that its
// first argument names.
func TestMain(m *testing.M) {
	if control := os.Getenv("FINCH_SUITE_CONTROL"); control != "" && len(os.Args) == 2 && !strings.HasPrefix(os.Args[1], "-") {
		if err := driveBadly(control, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func driveBadly(control, how string) error {
	u, err := url.Parse(control)
	if err != nil {
		return err
	}
	nc, err := net.Dial("tcp", u.Host)
	if err != nil {
		return err
	}
	defer nc.Close()
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", u.Path)
	in := bufio.NewReader(nc)
	if _, err := http.ReadResponse(in, nil); err != nil {
		return err
	}
	say := func(text string) { nc.Write(frame.AppendMasked(nil, frame.Text, []byte(text), [4]byte{})) }
	if how == "nameless" {
		say(`{"saw":"ready"}`)
	}
	say(`{"saw":"ready","name":"a bad one","lacks":["rooms"]}`)
	in.ReadByte() // the first command
	switch how {
	case "dies":
		return nil
	case "garbles":
		say(`{"saw":`)
	case "knows-nothing":
		say(`{"saw":"unknown","client":"one-1","do":"new"}`)
	}
	for {
		if _, err := in.ReadByte(); err != nil {
			return nil
		}
	}
}

func TestABadDriverFailsItsScenarios(t *testing.T) {
	for how, want := range map[string]string{
		"mute":          "one-1 connects: not within",
		"dies":          stage.ErrDriverEnded.Error(),
		"garbles":       `the driver reported {"saw":`,
		"knows-nothing": "does not know the command new",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			results, err := stage.Run(t.Context(), one, stage.Config{Driver: os.Args[0] + " " + how})
			if err != nil {
				t.Fatal(err)
			}
			if err := results[0].Err; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the scenario ended with %v, want it to say %q", err, want)
			}
			if r := results[1]; r.Err != nil || len(r.Lacks) != 1 {
				t.Errorf("what the client lacks was not skipped: %+v", r)
			}
		})
	}
	if _, err := stage.Run(t.Context(), one, stage.Config{Driver: os.Args[0] + " nameless"}); err == nil || !strings.Contains(err.Error(), "ready with a name") {
		t.Errorf("a driver without a name: %v", err)
	}
	results, err := stage.Run(t.Context(), one[1:], stage.Config{Driver: os.Args[0] + " mute", Strict: true})
	if err != nil || results[0].Err == nil {
		t.Errorf("a skipped scenario passes although nothing may be skipped: %v, %+v", err, results)
	}
	results, err = stage.Run(t.Context(), one[1:], stage.Config{Driver: os.Args[0] + " mute", Strict: true, MayLack: []string{"other", "rooms"}})
	if err != nil || results[0].Err != nil || len(results[0].Lacks) != 1 {
		t.Errorf("what may be lacking was not skipped: %v, %+v", err, results)
	}
}
