package finch

// A turn orders the connections that a client has one after the other in its
// session, also where they come to different nodes, and late: to a node that stood
// still, while its client went on elsewhere.
type turn struct {
	round   uint64 // one more than that of the connection whose ticket it showed; 0 for the first
	attempt uint64 // the client's own number of its tries; 0 if it numbers none
}

// before tells whether t comes before u. Of two tries with one ticket that have no
// numbers neither does.
func (t turn) before(u turn) bool {
	return t.round < u.round || t.round == u.round && t.attempt > 0 && t.attempt < u.attempt
}

// claim is what a client shows to come back to its session.
type claim struct {
	session string
	turn    turn   // of the connection that shows it
	written turn   // of that for which the ticket was written
	node    string // that wrote it
}

// claims answers what a ticket claims in a client's try.
func (t *ticket) claims(attempt uint64) claim {
	return claim{t.session, turn{t.turn.round + 1, attempt}, t.turn, t.node}
}

// outdated tells whether the session on this node is not the one of the claim any
// more, but what was left here when its client went on elsewhere, or a late hello
// of its: the ticket is of a later connection. Called with mu held.
func (ses *Session) outdated(c claim) bool {
	if c.node == ses.manager.node.id {
		return ses.turn.before(c.written) // it is of a life of this node that has ended
	}
	return !c.written.before(ses.turn)
}
