package splitcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "split",
		Usage: "<command>",
		Short: "Shows and changes how traffic is split between variants",
		Long: `Shows and changes how traffic is split between variants, through the admin
endpoint of a running proxy. A change made on one proxy holds on all that share
its store; the command waits until every one of them has applied it.

` + exitHelp,
		CobraFunc: func(cmd *cobra.Command) { build(cmd, host{caddyExit, time.Local, os.Getenv, os.Hostname}) },
	})
}

// host is what the command takes from the process that it runs in.
type host struct {
	// exit ends a command with an exit code.
	exit func(cmd *cobra.Command, code int) error
	// zone is the time zone that times are shown in.
	zone     *time.Location
	getenv   func(string) string
	hostname func() (string, error)
}

// build adds the sub-commands to the command `split`.
func build(root *cobra.Command, h host) {
	f := root.PersistentFlags()
	f.StringP("config", "c", "", "configuration file of the proxy, to find its admin address in")
	f.StringP("adapter", "a", "", "name of the config adapter of --config")
	f.String("address", "", "admin address of the proxy: localhost:2019, unix//run/switchback/admin.sock")
	f.Bool("json", false, "print the API's answer as it is")
	root.AddCommand(
		listCommand(h), statusCommand(h), eventsCommand(h), instancesCommand(h),
		weightCommand(h), killCommand(h), reviveCommand(h), renameCommand(h), adoptCommand(h), policyCommand(h),
	)
}

// session is one call of a sub-command.
type session struct {
	cmd    *cobra.Command
	client *control.Client
	out    io.Writer
	// json means that the answer is printed as it came, and nothing else.
	json bool
	look look
}

// action is what a sub-command does.
type action func(ctx context.Context, s *session, args []string) error

// run returns a sub-command's function: it makes the session, does the action, prints what went wrong with a hint,
// and ends with the right exit code.
func (h host) run(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := h.do(cmd, args, do)
		if err == nil {
			return nil
		}
		if p, ok := errors.AsType[*control.Problem](err); !ok || p.Detail != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "Error: %s\n", printable(err.Error()))
		}
		if text := hint(err); text != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "Hint: %s\n", text)
		}
		return h.exit(cmd, exitCode(err))
	}
}

func (h host) do(cmd *cobra.Command, args []string, do action) error {
	client, err := connect(cmd)
	if err != nil {
		return err
	}
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	s := &session{cmd: cmd, client: client, out: cmd.OutOrStdout(), json: asJSON}
	s.look = look{zone: h.zone, colours: coloured(s.out, h.getenv)}
	if asJSON {
		s.client = client.WithTap(s.printJSON)
	}
	return do(cmd.Context(), s, args)
}
