//go:build !unix

package conn

func newRawSource(*portable) source { return nil }
