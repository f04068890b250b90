package child

var CPUOf = cpuOf

// Heard answers what is kept, and what of it is a crash, of output that comes in
// pieces.
func Heard(pieces ...string) (text, crash string) {
	s := newSaid("")
	for _, piece := range pieces {
		s.Write([]byte(piece))
	}
	return s.String(), s.crashed()
}
