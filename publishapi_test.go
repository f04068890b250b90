package finch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

const apiToken = "0123456789abcdef"

// post posts to the publish API and returns the status and the body.
func post(h http.Handler, token, body string) (int, string) {
	r := httptest.NewRequest("POST", "/publish", strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestOtherProcessesPublishAndSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		api := m.PublishAPI(apiToken)
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		joins(t, ann, "chat:7")
		status, body := post(api, apiToken, `{"room":"chat:7","path":"say","data":{"n":1},"publish":true,"key":"k","from":"shop"}`)
		var result struct {
			Status    int
			Position  string
			Duplicate bool
		}
		if err := json.Unmarshal([]byte(body), &result); err != nil || status != 200 || result.Position == "" || result.Duplicate {
			t.Fatalf("%d %s", status, body)
		}
		if r := ann.Expect("say", nil); string(r.Data) != `{"n":1}` || r.Position != result.Position || r.From != "shop" || r.Key != "k" {
			t.Errorf("got %s", r)
		}
		status, body = post(api, apiToken, `[
			{"room":"chat:7","path":"say","data":{"n":1},"publish":true,"key":"k"},
			{"room":"chat:7","path":"say","data":{"n":2},"publish":true,"key":"k"},
			{"user":"bob","path":"notice","data":"for bob"},
			{"everyone":true,"path":"all","binary":"AAEC","status":201},
			{"socket":"nobody","path":"x"},
			{"path":"x"},
			{"room":"chat:7","user":"ann","path":"x"},
			{"room":"chat:7","path":"finch.x"},
			{"room":"chat:7","path":"x","publsh":true},
			{"room":"","user":"","path":"x"},
			{"room":"chat:7","path":"x","key":"k"},
			7
		]`)
		var results []struct {
			Status   int
			Position string
			Error    *struct{ Code string }
		}
		if err := json.Unmarshal([]byte(body), &results); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		var got []string
		for _, r := range results {
			code := ""
			if r.Error != nil {
				code = " " + r.Error.Code
			}
			got = append(got, fmt.Sprint(r.Status, code))
		}
		want := "200|409 key_reused|200|200|404 not_connected|422 bad_data|422 bad_data|422 bad_data|400 bad_data|422 bad_data|422 bad_data|400 bad_data"
		if strings.Join(got, "|") != want {
			t.Errorf("got  %s\nwant %s\n%s", strings.Join(got, "|"), want, body)
		}
		if results[0].Position != result.Position {
			t.Error("a repetition got another position")
		}
		bob.Expect("notice", nil)
		if r := bob.Expect("all", nil); string(r.Binary) != "\x00\x01\x02" || r.Status != 201 {
			t.Errorf("got %v", r)
		}
		ann.Expect("all", nil)
		ann.ExpectNothing()
		bob.ExpectNothing()
	})
}

func TestPublishAPIRefuses(t *testing.T) {
	m := newChat(nil)
	api := m.PublishAPI(apiToken)
	for _, tt := range []struct {
		token, body string
		status      int
	}{
		{"", `{}`, 401},
		{apiToken + "x", `{}`, 401},
		{apiToken[1:], `{}`, 401},
		{apiToken, ``, 400},
		{apiToken, `{"room":`, 400},
		{apiToken, `{"room":"r","path":"x"} {}`, 400},
		{apiToken, `[`, 400},
		{apiToken, `{"room":"` + strings.Repeat("r", 300) + `","path":"x"}`, 422},
		{apiToken, `{"room":"r","path":"x","data":"` + strings.Repeat("x", 5<<20) + `"}`, 413},
		{apiToken, `{"room":"r","path":"x","data":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
		{apiToken, `[` + strings.Repeat(`{},`, 1000) + `{}]`, 413},
	} {
		status, body := post(api, tt.token, tt.body)
		var e struct {
			Error struct{ Code, Message string }
		}
		if json.Unmarshal([]byte(body), &e); status != tt.status || e.Error.Code == "" || e.Error.Message == "" {
			t.Errorf("%.60s: %d %.200s, want %d", tt.body, status, body, tt.status)
		}
	}
	r := httptest.NewRequest("GET", "/publish", nil)
	r.Header.Set("Authorization", "Bearer "+apiToken)
	w := httptest.NewRecorder()
	if api.ServeHTTP(w, r); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", w.Code, w.Header())
	}
	defer func() {
		if recover() == nil {
			t.Error("a token that can be guessed was taken")
		}
	}()
	m.PublishAPI("short")
}
