package frame

import "strconv"

// An Error says that the peer broke the protocol and with which close code the
// connection must fail (RFC 6455 section 7.1.7). Every error of this package
// is an *Error. Errors are shared between parsers: do not change their fields.
type Error struct {
	Code   int    // 1002, 1007 or 1009
	Reason string // one short sentence about the peer's mistake; fits a close frame
}

// Error returns the code and the reason.
func (e *Error) Error() string {
	return "websocket: " + e.Reason + " (close code " + strconv.Itoa(e.Code) + ")"
}

// The codes that this package fails a connection with (RFC 6455 section 7.4.1).
const (
	codeProtocolError  = 1002
	codeInvalidPayload = 1007
	codeTooBig         = 1009
)

var (
	errReservedBit       = &Error{codeProtocolError, "reserved bit set without a negotiated extension"}
	errReservedOpcode    = &Error{codeProtocolError, "reserved opcode"}
	errNotMasked         = &Error{codeProtocolError, "client frame is not masked"}
	errMasked            = &Error{codeProtocolError, "server frame is masked"}
	errLength            = &Error{codeProtocolError, "payload length not in its shortest form"}
	errLengthRange       = &Error{codeProtocolError, "payload length has its top bit set"}
	errControlLength     = &Error{codeProtocolError, "control frame longer than 125 bytes"}
	errControlFragmented = &Error{codeProtocolError, "fragmented control frame"}
	errNoMessage         = &Error{codeProtocolError, "continuation without a message"}
	errInMessage         = &Error{codeProtocolError, "new message inside a fragmented message"}
	errCloseLength       = &Error{codeProtocolError, "close payload of one byte"}
	errCloseCode         = &Error{codeProtocolError, "close code that must not be sent"}
	errCloseReason       = &Error{codeInvalidPayload, "close reason is not valid UTF-8"}
	errText              = &Error{codeInvalidPayload, "text is not valid UTF-8"}
	errDeflate           = &Error{codeInvalidPayload, "compressed message cannot be inflated"}
	errTooBig            = &Error{codeTooBig, "message too big"}
)
