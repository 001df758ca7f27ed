package splitcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

func forgetCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget (<split> | --instance <proxy>)",
		Short: "Gives up a split that no proxy configures, or an instance that is gone for good",
		Long: `Gives up a split that no proxy configures, or an instance that is gone for good.

A split is refused while any instance of the fleet has it in its file, and while
a kill is on it. What is left of it keeps older states, such as one on some
proxy's disk, from coming back; ` + "`split import`" + ` brings one back on purpose.

An instance is refused while it lives. One that is forgotten and lives after all
is on the list again with its next heartbeat. No split is changed by that, so
nothing is logged, and --reason, --actor, --if and --wait have no bearing on it.`,
		Example: h.examples(`split forget assistant --reason "replaced by concierge"`,
			`split forget --instance proxy-7`),
		Args: atMost(1),
	}
	instance := cmd.Flags().String("instance", "", "forget the silent instance of this name instead of a split")
	forgetInstance := h.run(func(ctx context.Context, s *session, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("either a split (%q) or an instance (%q) can be forgotten, not both at once", args[0], *instance)
		}
		return s.forgetInstance(ctx, *instance)
	})
	whichOne := h.run(func(context.Context, *session, []string) error {
		err := errors.New("which split? Name one that no instance configures, or an --instance")
		return hintedError{err, "`split export` shows every split that the store has"}
	})
	forgetSplit := h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		answer, err := s.client.Forget(ctx, args[0], control.ForgetRequest{Claim: by}, o...)
		return answer, saysItAll(err)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case cmd.Flags().Changed("instance"):
			return forgetInstance(cmd, args)
		case len(args) == 0:
			return whichOne(cmd, args)
		}
		return forgetSplit(cmd, args)
	}
	return cmd
}

// forgetInstance takes a silent instance off the list.
func (s *session) forgetInstance(ctx context.Context, name string) error {
	if name == "" {
		return errors.New("--instance is empty: the name of an instance is needed")
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	answer, err := s.client.ForgetInstance(ctx, name)
	if err != nil || s.json {
		return err
	}
	for _, m := range answer.Members {
		fmt.Fprintf(s.out, "%s  forgotten  %s\n", s.look.paint(printable(m.Name), strong),
			s.look.paint("boot "+printable(m.Boot), subdued))
	}
	return nil
}

// saysItAll takes the hint from the error of a call about any split of the store, if there is no such split: the error
// names those that the store has, which `split list` does not, or says that this one was forgotten.
func saysItAll(err error) error {
	if p, ok := errors.AsType[*control.Problem](err); ok && p.Kind() == "unknown-split" {
		return hintedError{err, ""}
	}
	return err
}
