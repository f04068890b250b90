package frame

import (
	"encoding/binary"
	"math/bits"
)

// Mask combines p with the key by exclusive or, in place, which masks and
// unmasks alike (RFC 6455 section 5.3). pos is the offset of p within its
// payload, so that a payload may be treated in pieces.
func Mask(p []byte, key [4]byte, pos int) {
	// Little-endian words keep the order of the bytes on every machine; turning
	// the key by whole bytes brings its byte for p[0] to the front.
	k := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(pos&3))
	kk := uint64(k)<<32 | uint64(k)
	for len(p) >= 64 {
		q := p[:64:64]
		xor64(q[0:8], kk)
		xor64(q[8:16], kk)
		xor64(q[16:24], kk)
		xor64(q[24:32], kk)
		xor64(q[32:40], kk)
		xor64(q[40:48], kk)
		xor64(q[48:56], kk)
		xor64(q[56:64], kk)
		p = p[64:]
	}
	for len(p) >= 8 {
		xor64(p[:8], kk)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^k)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(k)
		k >>= 8
	}
}

func xor64(p []byte, k uint64) {
	binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
}
