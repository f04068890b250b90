package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/client"
)

func newPublish() *cobra.Command {
	var r remote
	var p payload
	key := ""
	cmd := &cobra.Command{
		Use:   "publish ROOM PATH [DATA | -]",
		Short: "Record a message in a room",
		Long: `Join a room, and record a message there: it is tried again for up to a minute,
on as many connections as it takes, and recorded once. Its position is printed.

With --key a message that was recorded under it before, within five minutes, is
not recorded again: what makes a repeated command harmless.
` + exitStatuses,
		Example: `  finch publish chat:7 post '{"text":"salaam"}'
  finch publish orders paid '{"id":17}' --key order-17-paid`,
		Args: between(2, 3, `name a room, a path and perhaps the data, such as: finch publish chat:7 post '{"text":"salaam"}'`),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := p.read(cmd, args[2:])
			if err != nil {
				return err
			}
			ctx, stop := interruptible(cmd)
			defer stop()
			return r.publish(ctx, cmd, args[0], args[1], data, key)
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&p.text, "text", false, "the data is a text, and not JSON already")
	cmd.Flags().StringVar(&key, "key", "", "a `name` for this one message, under which it is recorded only once (default: a random one)")
	return cmd
}

func (r *remote) publish(ctx context.Context, cmd *cobra.Command, name, path string, data any, key string) error {
	c, err := r.connect(ctx, cmd, nil)
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
	done, err := room.Publish(ctx, path, data, &client.PublishOptions{Key: key})
	if err != nil {
		return failed(err)
	}
	out := cmd.OutOrStdout()
	if r.json || !isTerminal(out) {
		return printLine(out, struct {
			Position  string `json:"position"`
			Duplicate bool   `json:"duplicate,omitempty"`
			Key       string `json:"key"`
		}{done.Position, done.Duplicate, done.Key})
	}
	before := ""
	if done.Duplicate {
		before = "before, "
	}
	_, err = fmt.Fprintf(out, "recorded %sat %s\n", before, printable(done.Position))
	return err
}
