package splitcmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/switchback-proxy/switchback/splitter"
)

// guard makes mistakes in arguments end as errors of the sub-command itself do, with hints, --json and all: cobra would
// print them by itself.
func (h host) guard(cmd *cobra.Command) {
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		asJSON, failed := cmd.Flags().GetBool("json")
		return h.end(h.open(cmd, asJSON && failed == nil), err)
	}
	for _, sub := range cmd.Commands() {
		h.guard(sub)
	}
}

// flagError does the same for mistakes in flags.
func (h host) flagError(cmd *cobra.Command, err error) error {
	return h.end(h.open(cmd, h.typedJSON()), explainFlag(cmd, err))
}

// typedJSON reports whether --json was typed, where a mistake in another flag keeps the flags from being read.
func (h host) typedJSON() bool {
	typed := h.args
	if i := slices.Index(typed, "--"); i >= 0 {
		typed = typed[:i]
	}
	return slices.Contains(typed, "--json") || slices.Contains(typed, "--json=true")
}

// explainFlag says of a mistake in a flag what would be right.
func explainFlag(cmd *cobra.Command, err error) error {
	if typed := cmd.Flags().Args(); cmd.HasSubCommands() && len(typed) > 0 {
		return unknownCommand(cmd, typed) // and so are all its flags
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		f := wrong.GetFlag()
		return fmt.Errorf("--%s %q: %s", f.Name, wrong.GetValue(), neededBy(f.Value.Type(), wrong))
	}
	help := "`" + cmd.CommandPath() + " --help` lists the flags"
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() != "" {
		return hintedError{err, help}
	}
	text := "unknown flag --" + unknown.GetSpecifiedName()
	if near := nearestFlag(cmd, unknown.GetSpecifiedName()); near != "" {
		text += "; did you mean --" + near + "?"
	}
	return hintedError{errors.New(text), help}
}

// neededBy says what a flag of a type takes.
func neededBy(typ string, wrong *pflag.InvalidValueError) string {
	switch typ {
	case "int":
		return "must be a number"
	case "duration":
		return "must be a duration, as in 2s"
	case "bool":
		return "must be true or false"
	}
	return wrong.Unwrap().Error()
}

// nearestFlag returns the flag that is spelt most like name: two edits away at most, or name is how it begins.
func nearestFlag(cmd *cobra.Command, name string) string {
	nearest, least := "", 3
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		d := splitter.EditDistance(name, f.Name)
		if strings.HasPrefix(f.Name, name) {
			d = min(d, 2)
		}
		if d < least && d < len(f.Name) && !f.Hidden {
			nearest, least = f.Name, d
		}
	})
	return nearest
}

// atMost allows n arguments at most.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) <= n:
			return nil
		case n == 0:
			return fmt.Errorf("%q: %s takes no arguments", strings.Join(args, " "), cmd.CommandPath())
		}
		return fmt.Errorf("%q is more than it takes: %s", strings.Join(args[n:], " "), callOf(cmd))
	}
}

// callOf returns how a command is called.
func callOf(cmd *cobra.Command) string { return strings.TrimSuffix(cmd.UseLine(), " [flags]") }

// unknownCommand refuses what is no sub-command, and says which ones are spelt much like it, or the only one there is.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf(`%w; did you mean "%s"?`, err, strings.Join(near, `" or "`))
	}
	subs := slices.DeleteFunc(cmd.Commands(), func(c *cobra.Command) bool { return !c.IsAvailableCommand() })
	if len(subs) == 1 {
		return fmt.Errorf(`%w; did you mean "%s %s"?`, err, subs[0].CommandPath(), strings.Join(args, " "))
	}
	return hintedError{err, "`" + cmd.CommandPath() + " --help` lists the commands"}
}
