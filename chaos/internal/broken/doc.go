// Package broken builds the harness with one protection taken out of the product,
// to show that a run finds out.
//
// The product has no switch for it: the compiler is given another text for a file.
package broken
