//go:build !unix

package embedded

import "os"

// lockFile opens the file. It keeps nobody out: the operator has to.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}
