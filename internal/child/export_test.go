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

// Claim claims a port, as FreePorts does before it gives one, and says whether it could.
func Claim(port int) bool {
	claim := claimed(port)
	if claim == nil {
		return false
	}
	claim.Close()
	return true
}
