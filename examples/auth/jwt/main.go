// Command jwt lets clients in with a JSON Web Token, ends their sockets when
// it expires, and takes a new one before.
package main

import (
	"context"
	"crypto/rand"
	"log"
	"net/http"
	"time"

	"github.com/finch-go/finch"
	"github.com/golang-jwt/jwt/v5"
)

// region authenticate

// tokens signs and verifies tokens with one key.
type tokens struct{ key []byte }

// authenticate finds the user in the token that a client sent.
func (t tokens) authenticate(r *http.Request) (finch.Identity, error) {
	token := finch.Token(r) // Authorization: Bearer, or the subprotocol of a browser
	if token == "" {
		return finch.Identity{}, finch.Errorf(401, "no_token", "sign in first")
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims,
		func(*jwt.Token) (any, error) { return t.key, nil },
		jwt.WithValidMethods([]string{"HS256"}), // never let the token choose
		jwt.WithExpirationRequired())
	if err != nil || claims.Subject == "" {
		return finch.Identity{}, finch.Errorf(401, "bad_token", "sign in again")
	}
	return finch.Identity{User: claims.Subject, ExpiresAt: claims.ExpiresAt.Time}, nil
}

// endregion

// issue makes a token for a user who has just proved who they are.
func (t tokens) issue(user string, life time.Duration) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject:   user,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}).SignedString(t.key)
}

func newSockets(t tokens) *finch.SocketManager {
	// region manager
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: t.authenticate})
	// endregion
	finch.OnRequest(sockets, "whoami", func(ctx context.Context, s *finch.Socket, _ any) (string, error) {
		return s.User(), nil
	})
	return sockets
}

func main() {
	key := make([]byte, 32)
	rand.Read(key) // a real program keeps its key, or a restart signs everybody out
	t := tokens{key}
	token, err := t.issue("sara", 15*time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("a token for sara: ", token)
	http.Handle("/ws", newSockets(t))
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
