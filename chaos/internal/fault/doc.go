// Package fault plans what goes wrong, from a seed: the same seed and options
// give the same plan. It does nothing itself.
package fault
