package splitcmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// What `split drained` ends with unless the variant can be deleted.
var (
	errNotDrained   = errors.New("the variant is still in use")
	errDrainUnknown = errors.New("whether the variant is still in use is not known")
)

// drainEvery is how often --wait asks again.
const drainEvery = time.Second

func drainedCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drained <split> <variant>",
		Short: "Says whether a variant can be deleted: nothing leads to it any more",
		Long: `Says whether a variant can be deleted now: it is not stable and has no share,
no instance has requests in flight on it, open streams among them, and no
conversation is held on it any more.

Exit codes:
  0  it can be deleted
  5  not yet: what still leads to it is named
  6  not known: not every instance of the fleet could be asked
  1, 4  as with every command: the call is wrong; nobody could be asked`,
		Example: h.examples("split drained assistant green", "split drained assistant green --wait 30m"),
		Args:    atMost(2),
	}
	wait := cmd.Flags().Duration("wait", 0, "wait so long at most until it can be deleted")
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		if err := s.needSplit(ctx, args); err != nil {
			return err
		}
		variant := second(args)
		if variant == "" {
			return fmt.Errorf("which variant of %s? %s %s VARIANT", args[0], cmd.CommandPath(), args[0])
		}
		if *wait < 0 {
			return fmt.Errorf("--wait %s: must be 0s or longer", *wait)
		}
		status, err := s.awaitDrained(ctx, args[0], variant, *wait)
		if err != nil {
			return err
		}
		if !s.json {
			s.printDrained(status)
		}
		return drainError(status)
	})
	return cmd
}

// awaitDrained asks until the variant is drained or the time is up, and at least once.
func (s *session) awaitDrained(ctx context.Context, split, variant string, wait time.Duration) (control.Drained, error) {
	deadline := time.Now().Add(wait)
	for {
		status, err := s.drained(ctx, split, variant)
		if err != nil || status.Result == control.ResultDrained || time.Now().Add(drainEvery).After(deadline) {
			return status, err
		}
		select {
		case <-ctx.Done():
			return status, nil
		case <-time.After(drainEvery):
		}
	}
}

func (s *session) drained(ctx context.Context, split, variant string) (control.Drained, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return s.client.Drained(ctx, split, variant)
}

// drainError is what the exit code is made of.
func drainError(status control.Drained) error {
	switch status.Result {
	case control.ResultDrained:
		return nil
	case control.ResultInUse:
		return errNotDrained
	}
	return errDrainUnknown
}

func (s *session) printDrained(status control.Drained) {
	if status.Result == control.ResultDrained {
		s.say("drained", status.Variant+" of "+status.Split+" can be deleted", good)
		return
	}
	label, c := "in use", doubt
	if status.Result != control.ResultInUse {
		label, c = "unknown", bad
	}
	for _, why := range status.Why {
		s.say(label, why, c)
	}
	if status.Conversations > 0 {
		s.say("note", strconv.Itoa(status.Conversations)+" conversations were seen on it within the time to hold", plain)
	}
}
