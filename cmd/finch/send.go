package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/protocol"
)

func newSend() *cobra.Command {
	var r remote
	var p payload
	cmd := &cobra.Command{
		Use:   "send PATH [DATA | -]",
		Short: "Send an event",
		Long: `Send an event, which wants no answer. What the server refuses is told, such as a
path that nothing handles; what its handler makes of the event is not: ask with
finch request to know that.
` + exitStatuses,
		Example: `  finch send chat.say '{"room":"7","text":"salaam"}'
  finch send --text shout hello
  cat photo.png | finch send --binary photo -`,
		Args: between(1, 2, `name a path, and perhaps the data, such as: finch send chat.say '{"text":"salaam"}'`),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := p.read(cmd, args[1:])
			if err != nil {
				return err
			}
			ctx, stop := interruptible(cmd)
			defer stop()
			return r.send(ctx, cmd, args[0], data)
		},
	}
	r.flags(cmd)
	p.flags(cmd)
	return cmd
}

func (r *remote) send(ctx context.Context, cmd *cobra.Command, path string, data any) error {
	c, err := r.connect(ctx, cmd, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Send(path, data); err != nil {
		return failed(err)
	}
	// The answer comes behind a refusal, so by then it is known.
	if _, err := client.Request[any, any](ctx, c, protocol.PathPing, nil); err != nil {
		return failed(err)
	}
	if r.refused.Load() {
		return &exitError{exitRefused, errors.New("nothing was done")}
	}
	return nil
}
