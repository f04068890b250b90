package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/client"
)

func newRequest() *cobra.Command {
	var r remote
	var p payload
	cmd := &cobra.Command{
		Use:   "request PATH [DATA | -]",
		Short: "Ask the server and print its answer",
		Long: `Ask the server, and print the data of its answer: JSON, indented on a terminal
and on one line elsewhere, or bytes as they are.
` + exitStatuses,
		Example: `  finch request finch.ping
  finch request chat.members '{"room":"7"}' | jq length`,
		Args: between(1, 2, `name a path, and perhaps the data, such as: finch request chat.members '{"room":"7"}'`),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := p.read(cmd, args[1:])
			if err != nil {
				return err
			}
			ctx, stop := interruptible(cmd)
			defer stop()
			return r.request(ctx, cmd, args[0], data)
		},
	}
	r.flags(cmd)
	p.flags(cmd)
	return cmd
}

func (r *remote) request(ctx context.Context, cmd *cobra.Command, path string, data any) error {
	c, err := r.connect(ctx, cmd, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := client.Request[any, *client.Message](ctx, c, path, data)
	if err != nil {
		return failed(err)
	}
	out := cmd.OutOrStdout()
	if answer.Binary != nil {
		_, err := out.Write(answer.Binary)
		return err
	}
	return printAnswer(out, answer.Data, !r.json && isTerminal(out))
}
