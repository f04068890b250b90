// Package server holds the programs that are started, killed and started again:
// a node, which is a small app on Finch, and a NATS server.
//
// They are subcommands of the harness's own program, so that one command is all
// there is to build.
package server
