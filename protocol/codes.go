package protocol

import "slices"

// The close codes that Finch uses: those of RFC 6455 section 7.4.1 and of the
// IANA registry of WebSocket close codes, and five of its own from the range
// for private use (section 7.4.2).
const (
	CloseNormal          = 1000
	CloseGoingAway       = 1001
	CloseProtocolError   = 1002
	CloseUnsupportedData = 1003
	CloseAbnormal        = 1006 // never travels: there was no close frame
	CloseInvalidData     = 1007
	ClosePolicy          = 1008
	CloseTooBig          = 1009
	CloseInternal        = 1011
	CloseDrain           = 1012
	CloseTryAgain        = 1013
	CloseUnauthorized    = 4401
	CloseForbidden       = 4403
	CloseNoHeartbeat     = 4408
	CloseReplaced        = 4409
	CloseTooFast         = 4429
)

// Action is what a client does after a close.
type Action int

const (
	// ActionStop: do not connect again by yourself. It would end the same way.
	ActionStop Action = iota
	// ActionRetry: connect again after a random delay that grows with each try.
	ActionRetry
	// ActionRetryAtDelay: connect again after the delay that the server gave,
	// or as ActionRetry if it gave none.
	ActionRetryAtDelay
	// ActionNewToken: get a new token and connect again, once; stop if that
	// fails in the same way.
	ActionNewToken
)

// String returns the action in words, as the documentation has it.
func (a Action) String() string {
	switch a {
	case ActionStop:
		return "stop"
	case ActionRetry:
		return "retry with jitter"
	case ActionRetryAtDelay:
		return "retry at the given delay"
	case ActionNewToken:
		return "get a new token and retry once"
	}
	return "unknown action"
}

// CloseCode is one row of the table of close codes.
type CloseCode struct {
	Code    int
	Name    string
	Meaning string // one sentence
	Action  Action // what the client does
}

var closeCodes = []CloseCode{
	{CloseNormal, "normal", "The conversation is over; the app wanted it so.", ActionStop},
	{CloseGoingAway, "going away", "The server shuts down, or the page is left.", ActionRetry},
	{CloseProtocolError, "protocol error", "A frame broke RFC 6455.", ActionStop},
	{CloseUnsupportedData, "unsupported data", "This address does not take this kind of message.", ActionStop},
	{CloseAbnormal, "abnormal", "The connection broke without a close frame; this code never travels.", ActionRetry},
	{CloseInvalidData, "invalid data", "A text message was not UTF-8.", ActionStop},
	{ClosePolicy, "policy", "The app refuses this client; the reason of the close says why.", ActionStop},
	{CloseTooBig, "too big", "A message was larger than the limit; do not send it again.", ActionRetry},
	{CloseInternal, "internal error", "The server failed while it handled this socket.", ActionRetry},
	{CloseDrain, "drain", "This node is being replaced; another one takes over.", ActionRetryAtDelay},
	{CloseTryAgain, "try again", "The client read too slowly, or the server is full.", ActionRetry},
	{CloseUnauthorized, "unauthorized", "Nobody is signed in, or the token is no longer good.", ActionNewToken},
	{CloseForbidden, "forbidden", "This user may not connect here.", ActionStop},
	{CloseNoHeartbeat, "no heartbeat", "The client did not answer a ping in time.", ActionRetry},
	{CloseReplaced, "replaced", "Another connection resumed this session.", ActionStop},
	{CloseTooFast, "too fast", "The client kept sending faster than the limit.", ActionRetry},
}

// CloseCodes returns the table of close codes, in order. The slice is the
// caller's.
func CloseCodes() []CloseCode { return slices.Clone(closeCodes) }

// CloseCodeOf returns the row of a code; ok is false for a code that is not in
// the table.
func CloseCodeOf(code int) (c CloseCode, ok bool) {
	for _, c := range closeCodes {
		if c.Code == code {
			return c, true
		}
	}
	return CloseCode{}, false
}

// ActionOf returns what a client does after a close with this code. A code of
// the app's own (3000 to 4999, not in the table) means stop: whoever chose it
// closed this client on purpose. Any other means retry.
func ActionOf(code int) Action {
	if c, ok := CloseCodeOf(code); ok {
		return c.Action
	}
	if code >= 3000 && code <= 4999 {
		return ActionStop
	}
	return ActionRetry
}
