package splitcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

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
		return show(ctx, s, func(ctx context.Context) (control.Why, error) { return s.client.Why(ctx, args[0]) }, s.printWhy)
	})
	return cmd
}

func (s *session) printWhy(why control.Why) {
	for _, sentence := range why.Why {
		fmt.Fprintln(s.out, printable(once(sentence)))
	}
}
