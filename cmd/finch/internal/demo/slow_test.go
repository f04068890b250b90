package demo_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

func withSlow(t *testing.T, f func(t *testing.T, c *finchtest.Client)) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		f(t, c)
	})
}

// expectSlow waits until it stands so with the slow reader.
func expectSlow(t *testing.T, c *finchtest.Client, what string, is func(demo.Slow) bool) (now demo.Slow) {
	t.Helper()
	for range 200 {
		if c.Expect("slow", &now); is(now) {
			return now
		}
	}
	t.Fatalf("never %s: %+v", what, now)
	return now
}

func happened(what string) func(demo.Slow) bool {
	return func(now demo.Slow) bool {
		return slices.ContainsFunc(now.Steps, func(s demo.SlowStep) bool { return s.What == what })
	}
}

func ended(now demo.Slow) bool { return now.State == "none" }

func expectSteps(t *testing.T, now demo.Slow, want ...string) {
	t.Helper()
	var got []string
	for _, s := range now.Steps {
		got = append(got, s.What)
	}
	if !slices.Equal(got, want) {
		t.Errorf("what happened: %v, want %v: %+v", got, want, now)
	}
}

func startSlow(t *testing.T, c *finchtest.Client, policy string) {
	t.Helper()
	first, err := finchtest.Request[demo.Slow](c, "slow.start", object{"policy": policy})
	if err != nil || first.State != "reading" || first.Policy != policy {
		t.Fatalf("started: %+v, %v", first, err)
	}
}

func readAgain(t *testing.T, c *finchtest.Client) {
	t.Helper()
	if _, err := finchtest.Request[demo.Slow](c, "slow.read", nil); err != nil {
		t.Fatal(err)
	}
}

func TestWhoReadsTooSlowlyLagsAndIsCaughtUp(t *testing.T) {
	withSlow(t, func(t *testing.T, c *finchtest.Client) {
		startSlow(t, c, "resync")
		_, err := finchtest.Request[demo.Slow](c, "slow.start", object{"policy": "latest"})
		if finch.StatusOf(err) != 409 {
			t.Errorf("a second slow reader: %v", err)
		}
		behind := expectSlow(t, c, "lagging", happened("lagged"))
		if behind.State != "deaf" || behind.Published-behind.Got < 50 {
			t.Errorf("lagged as %+v", behind)
		}
		t.Logf("%+v", behind)
		readAgain(t, c)
		now := expectSlow(t, c, "at its end", ended)
		expectSteps(t, now, "deaf", "lagged", "reading", "caught_up")
		if now.Lost != 0 || now.Doubled != 0 || now.Skipped != 0 || now.Published-now.Got > 4 {
			t.Errorf("in the end %+v", now)
		}
	})
}

func TestWhoReadsTooSlowlyGetsTheLatestAlone(t *testing.T) {
	withSlow(t, func(t *testing.T, c *finchtest.Client) {
		startSlow(t, c, "latest")
		expectSlow(t, c, "far behind", func(now demo.Slow) bool { return now.Published-now.Got > 150 })
		readAgain(t, c)
		now := expectSlow(t, c, "at its end", ended)
		t.Logf("%+v", now)
		expectSteps(t, now, "deaf", "reading", "caught_up")
		if now.Lost != 0 || now.Doubled != 0 || now.Skipped < 50 || now.Published-now.Got > 4 {
			t.Errorf("in the end %+v", now)
		}
	})
}

func TestWhoReadsTooSlowlyIsClosedAndComesBack(t *testing.T) {
	withSlow(t, func(t *testing.T, c *finchtest.Client) {
		startSlow(t, c, "close")
		closed := expectSlow(t, c, "closed", happened("closed"))
		if last := closed.Steps[len(closed.Steps)-1]; last.Count != 1013 {
			t.Errorf("closed as %+v", last)
		}
		readAgain(t, c)
		now := expectSlow(t, c, "at its end", ended)
		t.Logf("%+v", now)
		expectSteps(t, now, "deaf", "closed", "reading", "caught_up")
		if now.Lost != 0 || now.Doubled != 0 || now.Published-now.Got > 4 {
			t.Errorf("in the end %+v", now)
		}
	})
}

func TestWhoReadsNothingIsResetInTheEnd(t *testing.T) {
	withSlow(t, func(t *testing.T, c *finchtest.Client) {
		startSlow(t, c, "resync")
		now := expectSlow(t, c, "at its end", ended)
		t.Logf("%+v", now)
		expectSteps(t, now, "deaf", "lagged", "reading", "reset", "caught_up")
		if now.Lost != 0 || now.Doubled != 0 || now.Skipped < 400 {
			t.Errorf("in the end %+v", now)
		}
	})
}

func TestAPolicyThatIsNoneIsRefused(t *testing.T) {
	withSlow(t, func(t *testing.T, c *finchtest.Client) {
		_, err := finchtest.Request[demo.Slow](c, "slow.start", object{"policy": "none"})
		expectRefusal(t, "no policy", err, 422, "bad_policy")
		if now, err := finchtest.Request[demo.Slow](c, "slow.state", nil); err != nil || now.State != "none" {
			t.Errorf("then %+v, %v", now, err)
		}
	})
}
