package splitcmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// rolloutCommands are those that move a rollout which goes on by a plan.
func rolloutCommands(h host) []*cobra.Command {
	return []*cobra.Command{
		startCommand(h), stepCommand(h), promoteCommand(h), retryCommand(h),
		h.splitChange("pause", "Stops a plan where it is; the canary is judged all the same",
			func(ctx context.Context, c *control.Client, split string, by control.Claim, o []control.Option) (control.Change, error) {
				return c.Pause(ctx, split, control.PauseRequest{Claim: by}, o...)
			}),
		h.splitChange("resume", "Lets a paused plan go on",
			func(ctx context.Context, c *control.Client, split string, by control.Claim, o []control.Option) (control.Change, error) {
				return c.Resume(ctx, split, control.ResumeRequest{Claim: by}, o...)
			}),
		h.splitChange("abort", "Gives the canary's share back to stable, and ends the rollout",
			func(ctx context.Context, c *control.Client, split string, by control.Claim, o []control.Option) (control.Change, error) {
				return c.Abort(ctx, split, control.AbortRequest{Claim: by}, o...)
			}),
		rollbackCommand(h),
	}
}

// splitChange returns a command that changes a split, and needs to know no more than which.
func (h host) splitChange(name, short string,
	do func(context.Context, *control.Client, string, control.Claim, []control.Option) (control.Change, error),
) *cobra.Command {
	cmd := &cobra.Command{Use: name + " <split>", Short: short, Args: atMost(1)}
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		return do(ctx, s.client, args[0], by, o)
	})
	return cmd
}

func stepCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "step <split> [<number>]",
		Short: "Approves a rollout's next step",
		Long: `Approves a rollout's next step: opens the gate that waits for a person. The
step is taken when all else that the plan asks for is there.

The step is named by its number, as the status shows it, so that nobody approves
another one than he saw. Without a number it is the next one, and on a terminal
you are asked; elsewhere --yes is needed.`,
		Example: h.examples("split step assistant 4", "split step assistant --yes"),
		Args:    atMost(2),
	}
	yes := cmd.Flags().BoolP("yes", "y", false, "approve the next step, whichever it is, without being asked")
	cmd.RunE = h.carryOut(cmd, course{
		before: func(ctx context.Context, s *session, args []string) ([]string, error) {
			if len(args) > 1 {
				return args, nil
			}
			next, err := s.nextStep(ctx, args[0], h, *yes)
			return append(args, strconv.Itoa(next)), err
		},
		do: func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return control.Change{}, fmt.Errorf("step %q: a number is needed, as `split status` shows the next one", args[1])
			}
			return s.client.Step(ctx, args[0], control.StepRequest{Step: n, Claim: by}, o...)
		},
	})
	return cmd
}

// nextStep returns the number of a rollout's next step, if the caller agrees to it.
func (s *session) nextStep(ctx context.Context, split string, h host, yes bool) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	status, err := s.client.WithTap(nil).Status(ctx, split)
	if err != nil {
		return 0, err
	}
	if status.Plan == nil {
		return 0, fmt.Errorf("%s goes by no plan: there is no next step", split)
	}
	plan := status.Plan
	if plan.Step >= plan.Last() {
		return 0, hintedError{fmt.Errorf("%s is at its last step, and watched", status.Canary), "`split promote " + split + "` ends the watch"}
	}
	next := plan.Step + 1
	what := fmt.Sprintf("step %d of %d: %s of the users for %s", next, plan.Last(), plan.Next, status.Canary)
	switch {
	case yes:
		return next, nil
	case !h.interactive(s.cmd.InOrStdin()):
		return 0, hintedError{errors.New("which step? The next one is " + what), "name it, or say --yes"}
	}
	fmt.Fprintf(s.cmd.ErrOrStderr(), "Approve %s? [y/N] ", printable(what))
	answer, err := bufio.NewReader(s.cmd.InOrStdin()).ReadString('\n')
	if said := strings.ToLower(strings.TrimSpace(answer)); err != nil || said != "y" && said != "yes" {
		return 0, errors.New("nothing was approved")
	}
	return next, nil
}

func promoteCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "promote <split>",
		Short: "Gives the canary everything now; if it has that, makes it stable",
		Long: `Gives the canary 100% now, without the bake times and the minimum evidence of
the steps between; the verdict must be pass, and webhooks open. If it has 100%,
the watch ends and it becomes stable.

--full makes it stable at once, without gates and watch, unless it fails.`,
		Args: atMost(1),
	}
	full := cmd.Flags().Bool("full", false, "make it stable at once, without gates and watch")
	at := cmd.Flags().Int("step", 0, "refuse unless the rollout is still at this step, as the status shows it")
	cmd.RunE = h.carryOut(cmd, course{
		slow: time.Minute, // webhooks are asked
		do: func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
			return s.client.Promote(ctx, args[0], control.PromoteRequest{Full: *full, Step: *at, Claim: by}, o...)
		},
	})
	return cmd
}

func rollbackCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback <split>",
		Short: "Takes the latest promotion back, in one change",
		Long: `Takes the latest promotion back: who was stable before it gets everybody, in one
change.

If anything was taken back since that promotion (a rollback, an abort, a
failback), --to is needed, so that a command given twice does not lead where
nobody wants to be. It names the variant that is to be stable again.`,
		Example: h.examples("split rollback assistant", "split rollback assistant --to blue"),
		Args:    atMost(1),
	}
	to := cmd.Flags().String("to", "", "the variant that is to be stable again")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		return s.client.Rollback(ctx, args[0], control.RollbackRequest{To: *to, Claim: by}, o...)
	})
	return cmd
}

func retryCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "retry <split>",
		Short:   "Begins a rollout again at step 1, after a failback or an abort",
		Example: h.examples(`split retry assistant --reason "the index was cold"`),
		Args:    atMost(1),
	}
	force := cmd.Flags().Bool("force", false, "begin again in spite of a cooldown")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		if strings.TrimSpace(by.Reason) == "" {
			return control.Change{}, errors.New("--reason is needed: what is different this time?")
		}
		return s.client.Retry(ctx, args[0], control.RetryRequest{Force: *force, Claim: by}, o...)
	})
	return cmd
}
