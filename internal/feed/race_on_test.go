//go:build race

package feed_test

// raceDetector slows the model ten times and finds nothing there: the model is
// one goroutine.
const raceDetector = true
