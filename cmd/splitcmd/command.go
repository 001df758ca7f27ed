package splitcmd

import (
	"cmp"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
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
	zone *time.Location
	// args is the command line.
	args     []string
	getenv   func(string) string
	hostname func() (string, error)
	// interactive reports whether somebody types what is read.
	interactive func(stream any) bool
}

// caddyHost is the Caddy that the command is a part of. It is asked when the command line is built, by when the program
// has said its name.
func caddyHost() host {
	return host{cmp.Or(caddy.CustomBinaryName, "caddy"), caddyExit, time.Local, os.Args, os.Getenv, os.Hostname, isTerminal}
}

// examples returns calls of the program as its help shows them.
func (h host) examples(calls ...string) string {
	return "  " + h.binary + " " + strings.Join(calls, "\n  "+h.binary+" ")
}

// helpFooter ends every help of the command.
const helpFooter = `
Full documentation is docs/reference.md of
https://github.com/switchback-proxy/switchback
`

// build adds the sub-commands to the command `split`. By itself it shows its help; a sub-command that does not exist is
// an error and not a call for help, as a script with a slip of the pen would go on as if the kill had been made.
func build(root *cobra.Command, h host) {
	makeGroup(root)
	root.SetHelpTemplate(new(cobra.Command).HelpTemplate() + helpFooter) // Caddy's own points to Caddy's documentation
	f := root.PersistentFlags()
	f.StringP("config", "c", "", "configuration file of the proxy, to find its admin address in")
	f.StringP("adapter", "a", "", "name of the config adapter of --config")
	f.String("address", "", "admin address of the proxy: localhost:2019, unix//run/switchback/admin.sock")
	f.Bool("json", false, "print one JSON document and nothing else: the API's answer as it is, or what went wrong")
	root.AddCommand(
		listCommand(h), statusCommand(h), whyCommand(h), eventsCommand(h), instancesCommand(h), drainedCommand(h),
		preflightCommand(h), drillCommand(h), switchCommand(h), retireCommand(h), targetsCommand(h),
		weightCommand(h), killCommand(h), reviveCommand(h), renameCommand(h), adoptCommand(h), policyCommand(h),
		forgetCommand(h), exportCommand(h), importCommand(h), judgeCommand(h),
	)
	root.AddCommand(rolloutCommands(h)...)
	h.guard(root)
	root.SetFlagErrorFunc(h.flagError)
}

// makeGroup makes cmd a command that only has sub-commands.
func makeGroup(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2 // edits
	cmd.Args = unknownCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}
