package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestASumIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := finchtest.Connect(t, newSockets(), finch.Identity{})
		got, err := finchtest.Request[Total](c, "sum", Sum{[]int{1, 2, 3}})
		if err != nil || got.Total != 6 {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	tests := []struct {
		name string
		data any
		want int
	}{
		{"no terms", Sum{}, 422},
		{"terms of another type", map[string]any{"terms": "three"}, 400},
		{"another shape", []int{1}, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := finchtest.Connect(t, newSockets(), finch.Identity{})
				if _, err := finchtest.Request[Total](c, "sum", tt.data); finch.StatusOf(err) != tt.want {
					t.Fatalf("got %v, want %d", err, tt.want)
				}
			})
		})
	}
}

func TestAFileIsDeletedOnlyWhenItsOwnerConfirms(t *testing.T) {
	tests := []struct {
		name    string
		confirm func(data json.RawMessage) (any, error) // nil: the client does not answer
		want    int
	}{
		{"yes", func(json.RawMessage) (any, error) { return true, nil }, 200},
		{"no", func(json.RawMessage) (any, error) { return false, nil }, 409},
		{"an error", func(json.RawMessage) (any, error) { return nil, finch.Errorf(404, "no_dialog", "cannot ask") }, 408},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sockets := newSockets()
				owner := finchtest.Connect(t, sockets, finch.Identity{})
				other := finchtest.Connect(t, sockets, finch.Identity{})
				owner.Answer("confirm", tt.confirm)
				_, err := finchtest.Request[any](owner, "delete", Deletion{"notes.txt"})
				if finch.StatusOf(err) != tt.want {
					t.Fatalf("got %v, want %d", err, tt.want)
				}
				if err == nil {
					other.Expect("deleted", nil)
				}
				other.ExpectNothing()
			})
		})
	}
}

func TestAPhotoTravelsAsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{})
		bob := finchtest.Connect(t, sockets, finch.Identity{})
		photo := []byte{0xff, 0xd8, 0xff, 0x00}
		ann.Send("photo", photo)
		if got := bob.Expect("photo", nil); !bytes.Equal(got.Binary, photo) {
			t.Fatalf("got %x", got.Binary)
		}
		ann.ExpectNothing()
	})
}

func TestPrintingIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := finchtest.Connect(t, newSockets(), finch.Identity{})
		c.Send("print", "notes.txt")
		if got := c.Expect("printing", nil); got.Status != 202 {
			t.Fatalf("got %s", got)
		}
	})
}
