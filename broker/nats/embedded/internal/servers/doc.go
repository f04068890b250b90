// Package servers starts NATS servers for tests and breaks them: servers of this
// process, of processes of their own, and one in a bubble, behind wires that can be
// cut and proxies that lose what they carry.
package servers
