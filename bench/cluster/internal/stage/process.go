package stage

import "github.com/finch-go/finch/internal/child"

// A Process is a node or a server of the measurement, alive or not.
type Process = child.Process
