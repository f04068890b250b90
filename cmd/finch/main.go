// Command finch is Finch's tool. `finch demo` shows on one page what the
// framework does; `finch help` lists the rest.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := newRoot().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "finch:", err)
		os.Exit(exitStatus(err))
	}
}

// newRoot returns the command with its subcommands, each from a file of its
// own.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "finch",
		Short: "Realtime for Go: echo, chat, live notifications and counts over WebSocket",
		RunE:  func(cmd *cobra.Command, args []string) error { return cmd.Help() },
		// An error is one sentence that says what to do; the usage of every
		// flag behind it would hide that.
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newDemo(), newBench(), newTail(), newSend(), newPublish(), newRequest(), newVersion())
	return root
}
