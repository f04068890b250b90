package protocol

import "slices"

// The statuses that Finch itself uses, in envelopes and in HTTP answers to a
// handshake. They mean what they mean in HTTP (RFC 9110 section 15); an app may
// use any other number from 100 to 999.
const (
	StatusOK                  = 200
	StatusBadRequest          = 400
	StatusUnauthorized        = 401
	StatusForbidden           = 403
	StatusNotFound            = 404
	StatusRequestTimeout      = 408
	StatusConflict            = 409
	StatusTooLarge            = 413
	StatusUnprocessable       = 422
	StatusUpgradeRequired     = 426
	StatusTooManyRequests     = 429
	StatusInternalServerError = 500
	StatusUnavailable         = 503
	StatusTimeout             = 504
)

// Status is one row of the table of statuses.
type Status struct {
	Status  int
	Meaning string // one sentence
}

var statuses = []Status{
	{StatusOK, "Done, or simply a message."},
	{StatusBadRequest, "The message, its data or the handshake is malformed."},
	{StatusUnauthorized, "Nobody is signed in, or the token is no longer good."},
	{StatusForbidden, "This user may not do this."},
	{StatusNotFound, "Nothing has this path or this name."},
	{StatusRequestTimeout, "The request was not finished in time."},
	{StatusConflict, "It contradicts what was done before."},
	{StatusTooLarge, "The message is larger than the limit."},
	{StatusUnprocessable, "The data was understood but makes no sense: a name that is too long, say."},
	{StatusUpgradeRequired, "This address speaks WebSocket only (HTTP answer)."},
	{StatusTooManyRequests, "Too many messages, or too many connections."},
	{StatusInternalServerError, "The server failed; it knows why, the client is not told."},
	{StatusUnavailable, "The server is full or going away; try again later."},
	{StatusTimeout, "The answer did not come in time."},
}

// Statuses returns the table of statuses, in order. The slice is the caller's.
func Statuses() []Status { return slices.Clone(statuses) }
