package finch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/finch-go/finch/protocol"
)

// Request is one HTTP request on its way through a [Route]. It belongs to the
// handler that got it and must not be used after that has returned. Path
// parameters are read with PathValue.
type Request struct {
	*http.Request
	// Writer is where the answer goes; the Render methods write to it.
	Writer http.ResponseWriter

	bodyBytes int64
	language  *string
	answered  bool // by an upgrade, or by the refusal of one
}

// Language returns the language tag that the client likes best, such as
// "fa-IR", from Accept-Language; empty if it named none.
func (rq *Request) Language() string {
	if rq.language == nil {
		l := language(rq.Header)
		rq.language = &l
	}
	return *rq.language
}

// DecodeJSON decodes the body, which must be one JSON value, into v. A body
// beyond [AppOptions].BodyBytes is an [Error] 413 too_large, one that is not
// JSON or does not fit v is 400: returned from Index they are what the client
// sees.
func (rq *Request) DecodeJSON(v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(rq.Writer, rq.Body, rq.bodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return Errorf(http.StatusRequestEntityTooLarge, protocol.RefusalTooLarge, "the body may have %d bytes", tooLarge.Limit)
	case err != nil:
		return Errorf(http.StatusBadRequest, "bad_body", "the body ended too early")
	case len(bytes.TrimSpace(body)) == 0:
		return Errorf(http.StatusBadRequest, "bad_json", "the body is empty; it must be JSON")
	}
	err = json.Unmarshal(body, v)
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return Errorf(http.StatusBadRequest, protocol.RefusalBadData, "%s cannot be a JSON %s", orElse(wrong.Field, "the body"), wrong.Value)
	case errors.As(err, &syntax):
		return Errorf(http.StatusBadRequest, "bad_json", "the body is not JSON, at byte %d", syntax.Offset)
	}
	return Errorf(http.StatusBadRequest, protocol.RefusalBadData, "the body is not what this address takes")
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// RenderString answers 200 with text.
func (rq *Request) RenderString(s string) error {
	return rq.render(http.StatusOK, "text/plain; charset=utf-8", []byte(s))
}

// RenderJSON answers 200 with v as JSON. If v cannot be encoded nothing has
// been written, and the error says why.
func (rq *Request) RenderJSON(v any) error {
	b, err := protocol.Marshal(v)
	if err != nil {
		return err
	}
	return rq.render(http.StatusOK, "application/json", b)
}

// RenderSocket ends a controller's action that handles sockets: after
// [SocketManager.RequestHandle] there is nothing left to say and it returns
// nil; without, it answers 426 with one sentence.
func (rq *Request) RenderSocket() error {
	if !rq.answered {
		rq.answered = true
		refuse(rq.Writer, notWebSocket(rq.Request))
	}
	return nil
}

// renderError answers what a client may know of an error.
func (rq *Request) renderError(e *Error) {
	b, _ := protocol.Marshal(map[string]any{"error": map[string]string{"code": e.Code, "message": e.Message}})
	rq.render(e.Status, "application/json", b)
}

func (rq *Request) render(status int, contentType string, body []byte) error {
	rq.answered = true
	h := rq.Writer.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	rq.Writer.WriteHeader(status)
	_, err := rq.Writer.Write(body)
	return err
}
