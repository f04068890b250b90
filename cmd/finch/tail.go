package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/client"
)

func newTail() *cobra.Command {
	var r remote
	last := 0
	cmd := &cobra.Command{
		Use:   "tail ROOM",
		Short: "Print what happens in a room, until Ctrl-C",
		Long: `Print what happens in a room, until Ctrl-C: its messages, one a line, and on
standard error what becomes of the connection.

When the connection is lost it is opened again, and what was missed is printed,
once and in order. Where the server cannot catch up, a line says so.
` + exitStatuses,
		Example: `  finch tail chat:7
  finch tail chat:7 --last 20 --url wss://example.com/ws | jq .data`,
		Args: exactly(1, "name one room, such as: finch tail chat:7"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			return r.tail(ctx, cmd, args[0], last)
		},
	}
	r.flags(cmd)
	cmd.Flags().IntVar(&last, "last", 0, "begin with so many `messages` of the room's history")
	return cmd
}

func (r *remote) tail(ctx context.Context, cmd *cobra.Command, name string, last int) error {
	out, notes := cmd.OutOrStdout(), cmd.ErrOrStderr()
	forPerson := !r.json && isTerminal(out)
	c, err := r.connect(ctx, cmd, func(s client.State) { tellState(notes, s) })
	if err != nil {
		return err
	}
	defer c.Close()
	room := c.Room(name)
	joining, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if _, err := room.Join(joining); err != nil {
		return failed(err)
	}
	printed := make(map[string]bool) // what came while the history was read is in both
	if last > 0 {
		page, err := room.History(joining, &client.HistoryOptions{Limit: last})
		if err != nil {
			return failed(err)
		}
		for _, m := range page.Messages {
			printed[m.Position] = true
			if err := printMessage(out, m, forPerson); err != nil {
				return err
			}
		}
	}
	for event, err := range room.Events(ctx) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return failed(err)
		}
		if m, ok := event.(*client.Message); ok && printed[m.Position] {
			continue
		}
		if err := printEvent(out, notes, event, forPerson); err != nil {
			return err
		}
	}
	return nil
}

// printEvent prints what happened in the room. The error is that of writing, or
// says that nothing more will come.
func printEvent(out, notes io.Writer, event client.Event, forPerson bool) error {
	switch e := event.(type) {
	case *client.Message:
		return printMessage(out, e, forPerson)
	case *client.Lagged:
		fmt.Fprintln(notes, "finch: behind; what is missing comes later")
	case *client.Reset:
		fmt.Fprintf(notes, "finch: messages are missing here, and cannot be had (%s)\n", printable(e.Reason))
		if !forPerson { // a program must not take what follows for all
			return printLine(out, map[string]string{"reset": e.Reason, "position": e.Position})
		}
	case *client.Left:
		if e.Err == nil {
			return &exitError{exitRefused, fmt.Errorf("the server took you out of %s", printable(e.Room))}
		}
		return &exitError{exitRefused, fmt.Errorf("the server took you out of %s: %s", printable(e.Room), printable(e.Err.Message))}
	}
	return nil
}

// tellState tells a person what becomes of the connection.
func tellState(notes io.Writer, s client.State) {
	switch s.Phase {
	case client.Waiting:
		fmt.Fprintf(notes, "finch: the connection is lost (%s); trying again in %.1f s\n", printable(s.Reason), s.Delay.Seconds())
	case client.Open:
		fmt.Fprintln(notes, "finch: connected again")
	}
}

// exactly checks the number of arguments, and says what is meant.
func exactly(n int, want string) cobra.PositionalArgs { return between(n, n, want) }

// between checks that there are least to most arguments, and says what is meant.
func between(least, most int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return &exitError{exitUsage, fmt.Errorf("%s", want)}
		}
		return nil
	}
}
