//go:build race

package finch_test

// crowdSize is small here: the race detector ends a program with more than
// 8,128 goroutines.
const crowdSize = 1_000
