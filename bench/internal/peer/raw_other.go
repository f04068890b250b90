//go:build !linux

package peer

import (
	"errors"
	"net/http"
)

func mountRaw(*http.ServeMux) error { return errors.New("the raw loop needs epoll, which is Linux") }
