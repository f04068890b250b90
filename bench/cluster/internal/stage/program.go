package stage

import "github.com/finch-go/finch/bench/cluster/internal/node"

// RunPart runs this program as a part of a measurement, if its arguments say so:
// an app node or a NATS server. Otherwise ok is false.
func RunPart(args []string) (ok bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	switch args[0] {
	case "node":
		o, err := node.Parse(args[1:])
		if err != nil {
			return true, err
		}
		return true, node.Run(o)
	case "nats":
		o, err := ParseNATS(args[1:])
		if err != nil {
			return true, err
		}
		return true, RunNATS(o)
	}
	return false, nil
}
