package splitcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
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
