package hub

// Rendition is a wire form: what a frame looks like to members of one kind.
// Zero is the plain form; the others are made from it when a member first
// needs them, once for all its kin.
type Rendition uint8

// Renditions is how many there may be.
const Renditions = 16
