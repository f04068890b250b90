// Package badday holds tests of whole systems: managers, their clients and a
// store that is gone, emptied, full or asked for what it cannot do. The modules of
// brokers run them against real servers; see [Stage].
package badday
