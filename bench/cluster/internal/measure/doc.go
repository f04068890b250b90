// Package measure measures clusters of two nodes beside each other: Finch with its
// brokers, and Centrifuge with its Redis broker. The servers take turns in every
// round, each turn with fresh processes, so that what the machine does besides
// falls on all alike; ratios are taken within a round.
package measure
