package finch

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// place answers file:line of the user's code that called into this package,
// for errors that name where something was registered.
func place() string {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "github.com/finch-go/finch.") {
			dir, file := filepath.Split(f.File)
			return fmt.Sprintf("%s/%s:%d", filepath.Base(dir), file, f.Line)
		}
		if !more {
			return "unknown place"
		}
	}
}
