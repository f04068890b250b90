package finch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

const (
	// apiBytes is the largest body of a request to the publish API.
	apiBytes = 4 << 20
	// apiBatch is how many messages one request may carry.
	apiBatch = 1000
)

// PublishAPI returns a handler through which other processes send and publish:
// a POST of one JSON object, or of an array of up to 1,000, with the token in
// "Authorization: Bearer". docs/protocol.md describes it. It panics if the token
// has fewer than 16 bytes: whoever guesses it speaks for the server.
func (m *SocketManager) PublishAPI(token string) http.Handler {
	if len(token) < 16 {
		panic("finch: " + place() + ": the token of the publish API needs 16 bytes or more; take 32 random ones, in hex")
	}
	return &publishAPI{m, sha256.Sum256([]byte(token))}
}

type publishAPI struct {
	manager *SocketManager
	token   [sha256.Size]byte // hashed, so that comparing takes the same time for every guess
}

// apiMessage is one message of a request.
type apiMessage struct {
	Room     string          `json:"room"`
	User     string          `json:"user"`
	Socket   string          `json:"socket"`
	Everyone bool            `json:"everyone"`
	Path     string          `json:"path"`
	Data     json.RawMessage `json:"data"`
	Binary   []byte          `json:"binary"` // base64
	Status   int             `json:"status"`
	Publish  bool            `json:"publish"` // record it
	Key      string          `json:"key"`
	Replaces string          `json:"replaces"`
	From     string          `json:"from"`
}

// apiResult is what became of one message.
type apiResult struct {
	Status    int             `json:"status"`
	Position  string          `json:"position,omitempty"`
	Duplicate bool            `json:"duplicate,omitempty"`
	Error     *protocol.Error `json:"error,omitempty"`
}

func (a *publishAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given := sha256.Sum256([]byte(bearer(r)))
	switch {
	case subtle.ConstantTimeCompare(given[:], a.token[:]) != 1:
		w.Header().Set("WWW-Authenticate", "Bearer")
		a.fail(w, &Error{http.StatusUnauthorized, "unauthorized", "the request needs the header Authorization: Bearer with the token of this API"})
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		a.fail(w, &Error{http.StatusMethodNotAllowed, "method_not_allowed", "messages are posted"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, apiBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		a.fail(w, &Error{http.StatusRequestEntityTooLarge, protocol.RefusalTooLarge, "a request may have 4 MiB; send several"})
		return
	case err != nil:
		a.fail(w, &Error{http.StatusBadRequest, "bad_body", "the body ended too early"})
		return
	}
	a.serve(r.Context(), w, bytes.TrimSpace(body))
}

func (a *publishAPI) serve(ctx context.Context, w http.ResponseWriter, body []byte) {
	if len(body) == 0 || body[0] != '[' {
		var msg apiMessage
		if e := decodeStrictly(body, &msg); e != nil {
			a.fail(w, e)
			return
		}
		result := a.deliver(ctx, &msg)
		a.answer(w, result.Status, result)
		return
	}
	var batch []json.RawMessage
	switch err := json.Unmarshal(body, &batch); {
	case err != nil:
		a.fail(w, &Error{http.StatusBadRequest, "bad_json", "the body is not JSON: " + err.Error()})
		return
	case len(batch) > apiBatch:
		a.fail(w, &Error{http.StatusRequestEntityTooLarge, protocol.RefusalTooLarge, "a request may carry 1,000 messages; send several"})
		return
	}
	results := make([]apiResult, len(batch))
	for i, raw := range batch { // in order: what follows a failure is tried all the same
		var msg apiMessage
		if e := decodeStrictly(raw, &msg); e != nil {
			results[i] = apiFailure(e)
		} else {
			results[i] = a.deliver(ctx, &msg)
		}
	}
	a.answer(w, http.StatusOK, results)
}

// decodeStrictly refuses fields that nobody knows: a misspelt "publish" would
// lose what was meant to be kept.
func decodeStrictly(b []byte, into *apiMessage) *Error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("there is more behind the object")
	}
	if err != nil {
		return &Error{http.StatusBadRequest, protocol.RefusalBadData, "not a message: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return nil
}

// deliver sends or publishes one message.
func (a *publishAPI) deliver(ctx context.Context, msg *apiMessage) apiResult {
	at, data, err := msg.check()
	if err != nil {
		return apiFailure(err)
	}
	opts := []SendOption{WithStatus(msg.Status), WithKey(msg.Key), Replaces(msg.Replaces)}
	room := Room{a.manager, at}
	var failed error
	switch {
	case msg.Socket != "":
		failed = a.manager.SendToSocket(msg.Socket, msg.Path, data, opts...)
	case !msg.Publish:
		failed = room.Send(msg.Path, data, opts...)
	default:
		ack, err := room.record(ctx, msg.Path, data, broker.PublishOptions{Key: msg.Key, Publisher: serverPublisher, From: msg.From}, opts)
		if err == nil {
			return apiResult{Status: http.StatusOK, Position: ack.Position.String(), Duplicate: ack.Duplicate}
		}
		failed = err
	}
	if errors.Is(failed, ErrNotConnected) || errors.Is(failed, ErrClosed) {
		return apiFailure(&Error{http.StatusNotFound, "not_connected", "no socket of this node has this id"})
	}
	if failed != nil {
		e, meant := forClient(failed)
		if !meant { // the caller is the app itself: it may know
			e = &Error{http.StatusUnprocessableEntity, protocol.RefusalBadData, failed.Error()}
		}
		return apiFailure(e)
	}
	return apiResult{Status: http.StatusOK}
}

// check answers where a message goes, and what it carries.
func (msg *apiMessage) check() (at hub.Address, data any, err *Error) {
	targets := 0
	for _, named := range []bool{msg.Room != "", msg.User != "", msg.Socket != "", msg.Everyone} {
		if named {
			targets++
		}
	}
	bad := func(text string) *Error {
		return &Error{http.StatusUnprocessableEntity, protocol.RefusalBadData, text}
	}
	switch {
	case targets != 1:
		return at, nil, bad("a message names one of room, user, socket and everyone")
	case msg.Data != nil && msg.Binary != nil:
		return at, nil, bad("data and binary exclude each other")
	case msg.Socket != "" && msg.Publish:
		return at, nil, bad("what is published goes to a room, a user or everyone")
	case !msg.Publish && (msg.Key != "" || msg.From != ""):
		return at, nil, bad("key and from belong to what is published; add publish")
	case msg.Status != 0 && (msg.Status < 100 || msg.Status > 999):
		return at, nil, bad("a status is 100 to 999")
	case msg.Room != "":
		at = hub.Address{Kind: hub.Room, Name: msg.Room}
	case msg.User != "":
		at = hub.Address{Kind: hub.User, Name: msg.User}
	}
	if msg.Binary != nil {
		return at, msg.Binary, nil
	}
	if msg.Data == nil {
		return at, nil, nil
	}
	return at, msg.Data, nil
}

func apiFailure(e *Error) apiResult {
	return apiResult{Status: e.Status, Error: &protocol.Error{Code: e.Code, Message: e.Message}}
}

func (a *publishAPI) fail(w http.ResponseWriter, e *Error) { a.answer(w, e.Status, apiFailure(e)) }

func (a *publishAPI) answer(w http.ResponseWriter, status int, v any) {
	b, err := protocol.Marshal(v)
	if err != nil {
		panic("finch: " + err.Error()) // a result is JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
