package hub

// Stats are what a hub has counted.
type Stats struct {
	// Pinned is how many bytes wait for members to take them, now.
	Pinned int64
	// Delivered is how many messages sinks have taken, each counted once per
	// sink.
	Delivered int64
	// Lagged is how often a member was taken off an address because it was too
	// far behind, see [Resync].
	Lagged int64
	// Compacted is how often what a member was owed was reduced to the newest of
	// each key, see [Latest].
	Compacted int64
}

// Stats answers what the hub has counted so far.
func (h *Hub) Stats() Stats {
	return Stats{
		Pinned:    h.pinned.Load(),
		Delivered: h.taken.Load(),
		Lagged:    h.lagged.Load(),
		Compacted: h.compacted.Load(),
	}
}

// Pinned answers Stats().Pinned.
func (h *Hub) Pinned() int64 { return h.pinned.Load() }

// Delivered answers Stats().Delivered.
func (h *Hub) Delivered() int64 { return h.taken.Load() }
