// Package actor plays clients: many that hop from node to node, lose their
// connections and come back, join and leave, publish and repeat until they know.
// Most speak the wire themselves, so that every frame is seen; some are package
// client, which must keep the same promises.
//
// What an actor sees goes to a [story.Story]. What it does is drawn from a seed;
// when it does it depends on the machine.
package actor
