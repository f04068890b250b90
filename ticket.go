package finch

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// ticket is what a client shows to resume its session on any node. The client
// cannot read or change it: it is sealed.
type ticket struct {
	session string
	user    string
	node    string // where the session lived when this was written
	expires time.Time
	turn    turn     // of the connection for which it was written
	rooms   []string // that the server joined the session to
}

// Errors of opening a ticket.
var (
	errBadTicket     = errors.New("not a ticket of this server")
	errTicketExpired = errors.New("the ticket has expired")
)

// maxTicketRooms bounds the bytes of the rooms' names in a ticket: it has to
// fit into a message to the server, with positions beside it.
const maxTicketRooms = 16 << 10

// maxTicket bounds what is decoded at all.
const maxTicket = 64 << 10

// sealer makes and opens tickets: AES-256-GCM (NIST SP 800-38D) with random
// nonces, under a key derived from the manager's secret (RFC 5869).
type sealer struct {
	aead cipher.AEAD
	mark []byte // tells secrets apart and says nothing else of them than a ticket does
}

const (
	ticketContext = "finch session ticket 1"
	markContext   = "finch mark of a secret 1"
)

func newSealer(secret []byte) sealer {
	if secret == nil {
		secret = make([]byte, 32)
		rand.Read(secret)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, ticketContext, 32)
	if err != nil {
		panic("finch: " + err.Error()) // it fails for lengths that are not ours
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("finch: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("finch: " + err.Error())
	}
	mark, err := hkdf.Key(sha256.New, secret, nil, markContext, 8)
	if err != nil {
		panic("finch: " + err.Error())
	}
	return sealer{aead, mark}
}

// seal writes a ticket; rooms that do not fit are left out, and whole says
// whether none was.
func (s sealer) seal(t *ticket) (text string, whole bool) {
	b := binary.AppendVarint(nil, t.expires.Unix())
	b = binary.AppendUvarint(binary.AppendUvarint(b, t.turn.round), t.turn.attempt)
	for _, field := range []string{t.session, t.user, t.node} {
		b = appendText(b, field)
	}
	size := 0
	whole = true
	for _, room := range t.rooms {
		if size += len(room) + 2; size > maxTicketRooms {
			whole = false
			break
		}
		b = appendText(b, room)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, b, []byte(ticketContext))), whole
}

// open reads a ticket.
func (s sealer) open(text string, now time.Time) (*ticket, error) {
	if len(text) > maxTicket {
		return nil, errBadTicket
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errBadTicket
	}
	b, err := s.aead.Open(nil, nil, sealed, []byte(ticketContext))
	if err != nil {
		return nil, errBadTicket
	}
	expires, n := binary.Varint(b)
	if n <= 0 {
		return nil, errBadTicket
	}
	t := &ticket{expires: time.Unix(expires, 0)}
	b = b[n:]
	for _, number := range []*uint64{&t.turn.round, &t.turn.attempt} {
		if *number, n = binary.Uvarint(b); n <= 0 {
			return nil, errBadTicket
		}
		b = b[n:]
	}
	ok := true
	for _, field := range []*string{&t.session, &t.user, &t.node} {
		if *field, b, ok = cutText(b); !ok {
			return nil, errBadTicket
		}
	}
	for len(b) > 0 {
		var room string
		if room, b, ok = cutText(b); !ok {
			return nil, errBadTicket
		}
		t.rooms = append(t.rooms, room)
	}
	if !now.Before(t.expires) {
		return nil, errTicketExpired
	}
	return t, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	return string(b[n : n+int(size)]), b[n+int(size):], true
}
