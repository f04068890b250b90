// Package child runs other programs for tests and measurements: each ends with the
// program that started it, however that ends, what it says is kept for errors and
// for who looks for a crash, and it can be waited for until it serves.
//
// It is for tests, and for the modules that test and measure. No code of the root
// module that users import may import it, and arrows_test.go sees to that.
package child
