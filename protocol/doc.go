// Package protocol is the wire of Finch: what one message looks like, in bytes
// and in meaning.
//
// A text frame carries one [Envelope] as a JSON object; a binary frame carries
// an envelope and a payload of bytes. Beside these the package holds the tables
// that both ends share: statuses, refusals and close codes.
//
//	text := protocol.Append(nil, &protocol.Envelope{Path: "greet", Data: json.RawMessage(`"salaam"`)})
//	e, err := protocol.Parse(text, protocol.ParseOptions{})
//
// It is not a connection: it knows no socket, no clock and no goroutine, and it
// decides nothing. All functions may be called concurrently; values belong to
// whoever holds them.
//
// Words: a path names an event; an id asks for an answer; a reply is that
// answer; a refusal is the framework's own answer to a message it will not
// pass on.
package protocol
