package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/protocol"
)

// What the exit status says; anything else that goes wrong is 1.
const (
	exitRefused     = 1 // the server answered with an error
	exitUsage       = 2 // the command makes no sense
	exitUnreachable = 3 // there is no connection to the server
	exitUnknown     = 4 // no answer in time: it may have been done or not
)

const exitStatuses = `
Exit status: 0 done; 1 the server refused; 2 the command makes no sense;
3 the server cannot be reached; 4 no answer in time, so that it may have been
done or not.`

// exitError is an error with an exit status of its own.
type exitError struct {
	status int
	error
}

func (e *exitError) Unwrap() error { return e.error }

// exitStatus is what the program ends with after this error.
func exitStatus(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.status
	}
	return exitRefused
}

// A remote is the server that tail, send, publish and request speak to, and how
// they print what it says.
type remote struct {
	url      string
	token    string
	headers  []string
	timeout  time.Duration
	insecure bool
	json     bool

	refused atomic.Bool // the server refused a message that wanted no answer
}

// flags gives a command the flags of a remote.
func (r *remote) flags(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitUsage, err} })
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&r.url, "url", "ws://localhost:3000/ws", "the server's `address`")
	f.StringVar(&r.token, "token", "", "who you are; better in the environment as FINCH_TOKEN, where other users of this machine do not see it")
	f.StringArrayVar(&r.headers, "header", nil, "one more `\"Name: value\"` for the handshake; may be repeated")
	f.DurationVar(&r.timeout, "timeout", 10*time.Second, "how long connecting, and then an answer, may take")
	f.BoolVar(&r.insecure, "insecure-skip-verify", false, "take any certificate of a wss:// server")
	f.BoolVar(&r.json, "json", false, "print JSON, one value a line, as it is done where the output is no terminal")
}

// options are those of the client, with state as its OnState.
func (r *remote) options(cmd *cobra.Command, state func(client.State)) (*client.Options, error) {
	o := &client.Options{
		Header: make(http.Header), OnState: state, ConnectTimeout: r.timeout, RequestTimeout: r.timeout,
		Logger: slog.New(&notices{out: cmd.ErrOrStderr(), refused: &r.refused}),
	}
	for _, h := range r.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, &exitError{exitUsage, fmt.Errorf(`--header %q is not "Name: value"`, h)}
		}
		o.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	token := r.token
	if token == "" {
		token = os.Getenv("FINCH_TOKEN")
	}
	if token != "" {
		asked := false
		o.Token = func(context.Context) (string, error) {
			if asked { // the same would be refused again
				return "", fmt.Errorf("%w: the server does not take the token", client.ErrSignedOut)
			}
			asked = true
			return token, nil
		}
	}
	if r.insecure {
		o.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	return o, nil
}

// connect connects, at the first try or not at all. later, if not nil, is called
// with the states that follow.
func (r *remote) connect(ctx context.Context, cmd *cobra.Command, later func(client.State)) (*client.Client, error) {
	first := make(chan client.State, 1)
	known := false // whether there is a connection; states are told one after another
	o, err := r.options(cmd, func(s client.State) {
		switch {
		case known && later != nil:
			later(s)
		case !known && s.Phase != client.Connecting:
			known = true
			first <- s
		}
	})
	if err != nil {
		return nil, err
	}
	c, err := client.New(r.url, o)
	if err != nil {
		return nil, &exitError{exitUsage, errors.New(strings.TrimPrefix(err.Error(), "client: "))}
	}
	go c.Connect(ctx)
	select {
	case s := <-first:
		if s.Phase == client.Open {
			return c, nil
		}
		c.Close()
		return nil, r.unreachable(s, o.Token != nil)
	case <-ctx.Done():
		c.Close()
		return nil, context.Cause(ctx)
	}
}

// unreachable says why there is no connection, and what helps.
func (r *remote) unreachable(s client.State, hasToken bool) error {
	err := fmt.Errorf("cannot connect to %s: %s", r.url, s.Reason)
	switch {
	case s.Code == protocol.CloseUnauthorized && hasToken:
		err = fmt.Errorf("%s does not take this token", r.url)
	case s.Code == protocol.CloseUnauthorized:
		err = fmt.Errorf("%s asks who you are: give a token, with --token or in the environment as FINCH_TOKEN", r.url)
	case s.Code == protocol.CloseForbidden:
		err = fmt.Errorf("%s does not let you in: %s", r.url, s.Reason)
	case s.Reason == "":
		err = fmt.Errorf("cannot connect to %s: closed with %d", r.url, s.Code)
	}
	return &exitError{exitUnreachable, err}
}

// failed gives an error of the client the exit status that it deserves.
func failed(err error) error {
	var e *client.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return &exitError{exitUnknown, errors.New("interrupted")}
	case errors.Is(err, client.ErrTimeout), errors.Is(err, client.ErrOutcomeUnknown), errors.Is(err, client.ErrConnectionLost), errors.Is(err, context.DeadlineExceeded):
		return &exitError{exitUnknown, err}
	case errors.As(err, &e):
		return &exitError{exitRefused, fmt.Errorf("the server answered %d %s: %s", e.Status, e.Code, printable(e.Message))}
	case errors.Is(err, client.ErrClosed), errors.Is(err, client.ErrNotSent):
		return &exitError{exitUnreachable, err}
	}
	return &exitError{exitUsage, err}
}

// interruptible ends with the command's context, Ctrl-C or SIGTERM.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	return ctx, stop
}

// A payload is what is sent: JSON as it is, or bytes.
type payload struct {
	text   bool
	binary bool
}

func (p *payload) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.text, "text", false, "the data is a text, and not JSON already")
	cmd.Flags().BoolVar(&p.binary, "binary", false, "the data is bytes, and travels as such")
}

// read returns the data of a command: its last argument, or standard input for
// "-". Without either it is null.
func (p *payload) read(cmd *cobra.Command, args []string) (any, error) {
	if p.text && p.binary {
		return nil, &exitError{exitUsage, errors.New("the data is either --text or --binary")}
	}
	if len(args) == 0 {
		if p.text || p.binary {
			return nil, &exitError{exitUsage, errors.New(`there is no data: give it as the last argument, or "-" to read it from standard input`)}
		}
		return json.RawMessage("null"), nil
	}
	data := []byte(args[0])
	if args[0] == "-" {
		var err error
		if data, err = io.ReadAll(cmd.InOrStdin()); err != nil {
			return nil, fmt.Errorf("cannot read standard input: %w", err)
		}
	}
	switch {
	case p.binary:
		return data, nil
	case p.text:
		return string(data), nil
	case !json.Valid(data):
		return nil, &exitError{exitUsage, fmt.Errorf("the data is not JSON; as a text it is --text, or %s", quoted(data))}
	}
	return json.RawMessage(data), nil
}

// quoted shows how text would be written as JSON on a command line.
func quoted(data []byte) string {
	const most = 40
	if len(data) > most {
		return `'"..."'`
	}
	raw, err := protocol.Marshal(string(data))
	if err != nil {
		return `'"..."'`
	}
	return "'" + string(raw) + "'"
}
