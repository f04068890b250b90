//go:build !linux

package conn

func newAuto() Engine { return Portable }

// NewEpoll returns [ErrNoEpoll]: this is not Linux.
func NewEpoll(int) (Engine, error) { return nil, ErrNoEpoll }
