package protocol

import "slices"

// The codes of the framework's own refusals. A refused message that had an id
// is answered on its own path, another one on [PathError].
const (
	RefusalBadEnvelope     = "bad_envelope"
	RefusalNoPath          = "no_path"
	RefusalBadPath         = "bad_path"
	RefusalBadID           = "bad_id"
	RefusalBadBinary       = "bad_binary"
	RefusalTooDeep         = "too_deep"
	RefusalBadData         = "bad_data"
	RefusalForbidden       = "forbidden"
	RefusalReservedPath    = "reserved_path"
	RefusalRoomNotDeclared = "room_not_declared"
	RefusalUnknownPath     = "unknown_path"
	RefusalTooLarge        = "too_large"
	RefusalTooFast         = "too_fast"
	RefusalBadPosition     = "bad_position"
	RefusalBadKey          = "bad_key"
	RefusalNotInRoom       = "not_in_room"
	RefusalOtherUser       = "other_user"
	RefusalKeyReused       = "key_reused"
	RefusalReset           = "reset"
	RefusalTooManyRooms    = "too_many_rooms"
	RefusalRoomFull        = "room_full"
	RefusalBadRoom         = "bad_room"
	RefusalNoHistory       = "no_history"
	RefusalNoPresence      = "no_presence"
	RefusalUnavailable     = "unavailable"
	RefusalUnknownOutcome  = "unknown_outcome"
	RefusalHeldBack        = "held_back"
	RefusalInternal        = "internal"
	RefusalTimeout         = "timeout"
)

// Refusal is one row of the table of refusals.
type Refusal struct {
	Code    string
	Status  int
	Meaning string // one sentence
}

var refusals = []Refusal{
	{RefusalBadEnvelope, StatusBadRequest, "The text is no JSON object, or a field has the wrong type or comes twice."},
	{RefusalNoPath, StatusBadRequest, "The envelope has no path."},
	{RefusalBadPath, StatusBadRequest, "The path is not a string of 1 to 128 bytes, or holds control characters."},
	{RefusalBadID, StatusBadRequest, "The id is not a string of at most 128 bytes or a 64-bit whole number."},
	{RefusalBadBinary, StatusBadRequest, "The binary message is too short, or does not begin with an envelope."},
	{RefusalTooDeep, StatusBadRequest, "Arrays and objects nest deeper than the limit."},
	{RefusalBadData, StatusBadRequest, "The data is not what this path takes: another shape, or bytes for JSON."},
	{RefusalBadPosition, StatusBadRequest, "The position is not of the form in which the server gives one."},
	{RefusalBadKey, StatusBadRequest, "The publish key is not a string of 1 to 128 bytes."},
	{RefusalForbidden, StatusForbidden, "This user may not do this."},
	{RefusalReservedPath, StatusForbidden, "The path is one that only the server sends."},
	{RefusalRoomNotDeclared, StatusForbidden, "The server declares no such room for clients."},
	{RefusalNotInRoom, StatusForbidden, "Only members of the room may do this; join it first."},
	{RefusalOtherUser, StatusForbidden, "The token belongs to another user; connect anew."},
	{RefusalUnknownPath, StatusNotFound, "Nothing on the server handles this path."},
	{RefusalKeyReused, StatusConflict, "The publish key was used for another message; nothing was recorded."},
	{RefusalReset, StatusConflict, "History cannot go on from this position; begin anew from its end."},
	{RefusalTooManyRooms, StatusConflict, "The socket is in as many rooms as it may be."},
	{RefusalRoomFull, StatusConflict, "The room has as many members as it may have."},
	{RefusalTooLarge, StatusTooLarge, "The message is larger than the limit; the socket is closed with 1009 after this."},
	{RefusalBadRoom, StatusUnprocessable, "A room's name is 1 to 256 bytes of UTF-8 without control characters."},
	{RefusalNoHistory, StatusUnprocessable, "The room keeps no history."},
	{RefusalNoPresence, StatusUnprocessable, "The room does not say who is in it."},
	{RefusalTooFast, StatusTooManyRequests, "More messages or bytes a second than the limit; this one was dropped."},
	{RefusalInternal, StatusInternalServerError, "The server failed; it knows why, the client is not told."},
	{RefusalUnavailable, StatusUnavailable, "Nothing was done, because what joins the servers cannot be reached; try again."},
	{RefusalUnknownOutcome, StatusUnavailable, "The message may have been recorded or not; publish again with the same key."},
	{RefusalHeldBack, StatusUnavailable, "An earlier publish to this room failed and must be repeated first."},
	{RefusalTimeout, StatusTimeout, "The answer did not come in time."},
}

// Refusals returns the table of refusals, in order of status. The slice is the
// caller's.
func Refusals() []Refusal { return slices.Clone(refusals) }

// RefusalOf returns the row of a code; ok is false for a code that is not the
// framework's.
func RefusalOf(code string) (r Refusal, ok bool) {
	for _, r := range refusals {
		if r.Code == code {
			return r, true
		}
	}
	return Refusal{}, false
}
