package splitcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

func renameCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rename <split> <old>=<new>",
		Short:   "Gives a variant the name that a new configuration file has for it",
		Example: h.examples(`split rename assistant blue=azure`),
		Args:    cobra.ArbitraryArgs,
	}
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		from, to, err := parseRename(cmd.CommandPath(), args)
		if err != nil {
			return control.Change{}, err
		}
		return s.client.Rename(ctx, args[0], control.RenameRequest{From: from, To: to, Claim: by}, o...)
	})
	return cmd
}

func adoptCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adopt <split>",
		Short: "Takes a configuration file's roles and weights over into the fleet's state",
		Long: `Takes a configuration file's roles and weights over into the fleet's state.

With --config the file is read here; it may be one that no proxy has loaded yet,
and names the admin address too unless --address does. Without --config it is
the file that the answering proxy runs with. A file that would take the latest
promotion back is older than that, and refused.`,
		Args: atMost(1),
	}
	force := cmd.Flags().Bool("force", false, "adopt a file also if that takes the latest promotion back")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		r, err := adoption(cmd, args[0])
		if err != nil {
			return control.Change{}, err
		}
		r.Force, r.Claim = *force, by
		return s.client.Adopt(ctx, args[0], r, o...)
	})
	return cmd
}

func policyCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Changes how a running trial is judged",
	}
	makeGroup(cmd)
	applyCmd := &cobra.Command{
		Use:   "apply <split>",
		Short: "Judges the running trial by the policy of the proxy's file from now on",
		Args:  atMost(1),
	}
	applyCmd.RunE = h.changes(applyCmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		return s.client.ApplyPolicy(ctx, args[0], control.PolicyRequest{Claim: by}, o...)
	})
	cmd.AddCommand(applyCmd)
	return cmd
}
