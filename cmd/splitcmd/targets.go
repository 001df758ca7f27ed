package splitcmd

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

func targetsCommand(h host) *cobra.Command {
	return &cobra.Command{
		Use:   "targets",
		Short: "Shows who is told of events, and how that goes on this proxy",
		Args:  atMost(0),
		RunE: h.run(func(ctx context.Context, s *session, _ []string) error {
			return show(ctx, s, s.client.Targets, s.printTargets)
		}),
	}
}

func (s *session) printTargets(list control.Targets) {
	if len(list.Targets) == 0 {
		fmt.Fprintln(s.out, "nobody is told of events: the file has no alerts")
		return
	}
	t := table{header: []string{"TARGET", "SENT", "FAILED", "DROPPED", "STATE"}}
	for _, target := range list.Targets {
		t.add(cell{target.Name, strong}, count(target.Sent, plain), count(target.Failed, doubt), count(target.Dropped, bad), s.stateOf(target))
	}
	t.print(s.out, s.look, "")
}

// stateOf says whether a target can be told.
func (s *session) stateOf(t control.Target) cell {
	if t.LastError == "" {
		return cell{"ok", good}
	}
	return cell{"fails since " + s.look.time(t.FailingSince) + ": " + t.LastError, bad}
}

// count returns a number, in a colour unless it is 0.
func count(n uint64, c colour) cell {
	if n == 0 {
		c = plain
	}
	return cell{strconv.FormatUint(n, 10), c}
}
