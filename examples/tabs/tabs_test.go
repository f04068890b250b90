package main

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestThePageFindsWhatItImports(t *testing.T) {
	server := newServer(newSockets())
	page := httptest.NewRecorder()
	server.ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
	imports := regexp.MustCompile(`import \{ (\w+) \} from '([^']+)'`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(imports) != 2 {
		t.Fatalf("the page imports %v", imports)
	}
	for _, i := range imports {
		script := httptest.NewRecorder()
		server.ServeHTTP(script, httptest.NewRequest("GET", i[2], nil))
		if !strings.Contains(script.Body.String(), "as "+i[1]) {
			t.Errorf("%s: %d, and no %s in it", i[2], script.Code, i[1])
		}
	}
}

func TestANoteReachesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		t.Cleanup(func() { sockets.Shutdown(t.Context()) })
		server := newServer(sockets)
		ann, bob := finchtest.Connect(t, server, finch.Identity{}), finchtest.Connect(t, server, finch.Identity{})
		for _, c := range []*finchtest.Client{ann, bob} {
			if _, err := c.Join("notes"); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := ann.Publish("notes", "note", "milk", "one key"); err != nil {
			t.Fatal(err)
		}
		var note string
		if bob.Expect("note", &note); note != "milk" {
			t.Errorf("the note is %q", note)
		}
	})
}
