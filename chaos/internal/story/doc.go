// Package story remembers what clients saw and what publishers know, and judges
// it: nothing acknowledged is lost, nothing comes twice, one order for all, a
// reset where the store lost something and nowhere else.
//
// It is pure: it knows no connection and no clock of its own. The harness tells
// it every event with the time since the start. All methods of a [Story] may be
// called by any goroutine.
//
// Words: a point is one position of a room; a track is one client in one room,
// step by step; a segment is the part of a track in which the client was
// promised to miss nothing: from where it came in, over any number of resumes,
// up to a reset.
package story
