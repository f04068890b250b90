//go:build unix

package child_test

import (
	"strings"
	"testing"
	"time"
)

func TestProcessEndsWhenItIsAsked(t *testing.T) {
	if err := started(t, "obeys", "ready").Stop(20 * time.Second); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestProcessThatDoesNotObeyIsKilled(t *testing.T) {
	p := started(t, "does not obey", "ready")
	if err := p.Stop(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end within 50ms") {
		t.Errorf("it ended with %v", err)
	}
	if !p.Ended() {
		t.Error("it goes on")
	}
	if err := p.Stop(time.Second); err == nil {
		t.Error("it was stopped again")
	}
}
