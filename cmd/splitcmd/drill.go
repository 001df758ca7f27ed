package splitcmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// drillTimeout bounds a drill and a preflight, which ask the fleet and the variants.
const drillTimeout = 70 * time.Second

// What a drill and a preflight end with unless they pass.
var (
	errDrillFailed = errors.New("the drill has failed")
	errPreflight   = errors.New("something is missing")
)

func drillCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill <split> <user>...",
		Short: "Rehearses a failback with test users",
		Long: `Rehearses a failback with test users: sends them, and nobody else, to the canary,
looks whether every instance does so, and takes it back. They are named by the
key that the split knows users by, and must agree: the canary serves them for
some seconds.`,
		Example: h.examples("split drill assistant test-1 test-2"),
		Args:    cobra.ArbitraryArgs,
	}
	t := &terms{host: h}
	t.addClaimFlags(cmd)
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		if err := s.needSplit(ctx, args); err != nil {
			return err
		}
		if len(args) < 2 {
			return fmt.Errorf("no test user is named, as in `%s %s USER`", cmd.CommandPath(), args[0])
		}
		options, err := t.options()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, drillTimeout)
		defer cancel()
		drill, err := s.client.Drill(ctx, args[0], control.DrillRequest{Users: args[1:], Claim: t.claim()}, options...)
		if err != nil {
			return err
		}
		if !s.json {
			s.printDrill(drill)
		}
		if !drill.Passed {
			return errDrillFailed
		}
		return nil
	})
	return cmd
}

func (s *session) printDrill(d control.Drill) {
	t := table{header: []string{"", "STEP", "TIME", ""}}
	for _, step := range d.Steps {
		mark := cell{"✓", good}
		if !step.OK {
			mark = cell{"✗", bad}
		}
		t.add(mark, cell{step.Name, strong}, cell{duration(time.Duration(step.Took)), subdued}, cell{step.Text, plain})
	}
	t.print(s.out, s.look, "")
	if d.Passed {
		s.say("passed", "in "+duration(time.Duration(d.Took)), good)
	}
}

func preflightCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preflight <split>",
		Short: "Says whether a rollout could begin, and what is missing",
		Args:  atMost(1),
	}
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		if err := s.needSplit(ctx, args); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, drillTimeout)
		defer cancel()
		preflight, err := s.client.Preflight(ctx, args[0])
		if err != nil {
			return err
		}
		if !s.json {
			s.printPreflight(preflight)
		}
		if !preflight.OK {
			return errPreflight
		}
		return nil
	})
	return cmd
}

func (s *session) printPreflight(p control.Preflight) {
	t := table{header: []string{"", "WHAT", ""}}
	for _, item := range p.Items {
		mark := cell{"☐", bad}
		switch item.Result {
		case control.PreflightOK:
			mark = cell{"☑", good}
		case control.PreflightWarning:
			mark = cell{"⚠", doubt}
		}
		t.add(mark, cell{item.Name, strong}, cell{item.Text, plain})
	}
	t.print(s.out, s.look, "")
}

func whyCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why <split>",
		Short: "Says in sentences why a split is as it is, and what it waits for",
		Args:  atMost(1),
	}
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		if err := s.needSplit(ctx, args); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		why, err := s.client.Why(ctx, args[0])
		if err != nil || s.json {
			return err
		}
		for _, sentence := range why.Why {
			fmt.Fprintln(s.out, printable(once(sentence)))
		}
		return nil
	})
	return cmd
}
