package splitcmd

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
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
		CobraFunc: func(cmd *cobra.Command) { build(cmd, caddyHost()) },
	})
}

// host is what the command takes from the process that it runs in.
type host struct {
	// binary is the program's name, for examples.
	binary string
	// exit ends a command with an exit code.
	exit func(cmd *cobra.Command, code int) error
	// zone is the time zone that times are shown in.
	zone     *time.Location
	getenv   func(string) string
	hostname func() (string, error)
}

// caddyHost is the Caddy that the command is a part of. It is asked when the command line is built, by when the program
// has said its name.
func caddyHost() host {
	return host{cmp.Or(caddy.CustomBinaryName, "caddy"), caddyExit, time.Local, os.Getenv, os.Hostname}
}

// examples returns calls of the program as its help shows them.
func (h host) examples(calls ...string) string {
	return "  " + h.binary + " " + strings.Join(calls, "\n  "+h.binary+" ")
}

// build adds the sub-commands to the command `split`. By itself it shows its help; a sub-command that does not exist is
// an error and not a call for help, as a script with a slip of the pen would go on as if the kill had been made.
func build(root *cobra.Command, h host) {
	makeGroup(root)
	f := root.PersistentFlags()
	f.StringP("config", "c", "", "configuration file of the proxy, to find its admin address in")
	f.StringP("adapter", "a", "", "name of the config adapter of --config")
	f.String("address", "", "admin address of the proxy: localhost:2019, unix//run/switchback/admin.sock")
	f.Bool("json", false, "print the API's answer as it is")
	root.AddCommand(
		listCommand(h), statusCommand(h), eventsCommand(h), instancesCommand(h),
		weightCommand(h), killCommand(h), reviveCommand(h), renameCommand(h), adoptCommand(h), policyCommand(h),
		forgetCommand(h), exportCommand(h), importCommand(h),
	)
}

// makeGroup makes cmd a command that only has sub-commands.
func makeGroup(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2 // edits
	cmd.Args = unknownCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// unknownCommand refuses what is no sub-command, and says which ones are spelt much like it.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	suggestion := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		suggestion = `; did you mean "` + strings.Join(near, `" or "`) + `"?`
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), suggestion)
}

// session is one call of a sub-command.
type session struct {
	cmd    *cobra.Command
	client *control.Client
	// address is the admin address that the client calls, as the user wrote it.
	address string
	out     io.Writer
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
		fmt.Fprintf(cmd.ErrOrStderr(), "Error: %s\n", printable(err.Error()))
		if text := hint(err); text != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "Hint: %s\n", text)
		}
		return h.exit(cmd, exitCode(err))
	}
}

func (h host) do(cmd *cobra.Command, args []string, do action) error {
	client, address, err := connect(cmd)
	if err != nil {
		return err
	}
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	s := &session{cmd: cmd, client: client, address: address, out: cmd.OutOrStdout(), json: asJSON}
	s.look = look{zone: h.zone, colours: coloured(s.out, h.getenv)}
	if asJSON {
		s.client = client.WithTap(s.printJSON)
	}
	return notAdmin(address, do(cmd.Context(), s, args))
}
