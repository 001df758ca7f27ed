package splitcmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// errPreflight is what a preflight ends with unless it passes.
var errPreflight = errors.New("something is missing")

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
