// Package compare runs the same load against several servers and says how they
// compare: rows of work, servers that do it, rounds in which all take turns, and
// the medians of the ratios with their intervals.
//
// A ratio is taken within a round, where both sides met the same machine;
// absolute times of two days or two machines say little.
package compare
