package hub

// Sink takes what a member is sent.
type Sink interface {
	// Send hands over one encoded frame, which nobody may change afterwards:
	// other sinks get the same bytes. It must not block and must not call
	// the hub. What an error means is the sink's own affair; the hub goes on
	// with the next member.
	Send(frame []byte) error
}

// Member is one sink that is here. Its exported fields do not change
// once it is added.
type Member struct {
	ID   string
	User string // empty: nobody in particular
	Sink Sink

	// Guarded by Hub.mu.
	rooms map[*audience]struct{}
	gone  bool
}
