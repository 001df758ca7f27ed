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

// errDrillFailed is what a drill ends with unless it passes.
var errDrillFailed = errors.New("the drill has failed")

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
