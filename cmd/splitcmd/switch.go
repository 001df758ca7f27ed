package splitcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

func switchCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "switch <split> <variant>",
		Short: "Gives everybody to the other variant at once (blue/green)",
		Long: `Gives everybody to the other variant at once, after its checks. It is then
watched: if it fails, everybody goes back in one change; otherwise it becomes
stable.

--back takes a switch back, during the watch or after it.`,
		Example: h.examples(`split switch assistant green --reason "v8"`, "split switch assistant --back"),
		Args:    atMost(2),
	}
	back := cmd.Flags().Bool("back", false, "take the switch back")
	skip := cmd.Flags().Bool("skip-checks", false, "do not ask the variant's checks first")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		to := second(args)
		switch {
		case *back && (to != "" || *skip):
			return control.Change{}, errors.New("--back takes neither a variant nor --skip-checks: it goes where the switch came from")
		case *back:
			return s.client.SwitchBack(ctx, args[0], control.SwitchBackRequest{Claim: by}, o...)
		case to == "":
			return control.Change{}, fmt.Errorf("to which variant? %s %s VARIANT", cmd.CommandPath(), args[0])
		}
		return s.client.Switch(ctx, args[0], control.SwitchRequest{To: to, SkipChecks: *skip, Claim: by}, o...)
	})
	return cmd
}

func retireCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire <split> <variant>",
		Short: "Says that a variant is gone, so that nothing is given to it",
		Long: `Says that a variant is gone, so that nothing is given to it: no rollout, no
switch and no rollback leads to it. It must have no share. Stable can be retired
while the canary is watched that has its place: it loses what it has kept, and
no failback goes to it.

--undo lets it be used again; so does a new version of it in the configuration.`,
		Args: atMost(2),
	}
	undo := cmd.Flags().Bool("undo", false, "let it be used again")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		variant := second(args)
		if variant == "" {
			return control.Change{}, fmt.Errorf("which variant of %s? %s %s VARIANT", args[0], cmd.CommandPath(), args[0])
		}
		return s.client.Retire(ctx, args[0], control.RetireRequest{Variant: variant, Undo: *undo, Claim: by}, o...)
	})
	return cmd
}
