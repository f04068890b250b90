//go:build !race

package finch_test

const crowdSize = 10_000
