package splitcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// readTimeout bounds a call that only reads.
const readTimeout = 10 * time.Second

// watchEvery is how often --watch looks again.
const watchEvery = time.Second

// show asks for something and prints it, unless it is printed as JSON.
func show[T any](ctx context.Context, s *session, ask func(ctx context.Context) (T, error), present func(T)) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := ask(ctx)
	if err != nil || s.json {
		return err
	}
	present(answer)
	return nil
}

func listCommand(h host) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Lists the splits with their variants and shares",
		Args:  atMost(0),
		RunE: h.run(func(ctx context.Context, s *session, _ []string) error {
			return show(ctx, s, s.client.List, s.printList)
		}),
	}
}

func statusCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [<split>]",
		Short: "Shows a split: plan, shares, evidence, verdict, kills and what does not agree",
		Long: `Shows a split: how far a rollout is in its plan and what it waits for, shares,
evidence, verdict, kills, and what does not agree.

--wait waits until a rollout by a plan is over, or paused. Proxies may restart
meanwhile. Exit codes:
  0  promoted: the canary is stable
  2  failed back
  3  paused: somebody must resume it
  4  the time is up
  5  aborted or rolled back
  1  the call is wrong, or there is nothing to wait for`,
		Example: h.examples("split status assistant", "split status assistant --watch", "split status assistant --wait --timeout 30m"),
		Args:    atMost(1),
	}
	watch := cmd.Flags().BoolP("watch", "w", false, "show it again every second, until interrupted")
	wait := cmd.Flags().Bool("wait", false, "wait until a rollout is over, or paused, and say so by the exit code")
	timeout := cmd.Flags().Duration("timeout", 30*time.Minute, "how long --wait waits at most")
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		if err := checkLooks(*watch, *wait, *timeout); err != nil {
			return err
		}
		if !*wait && cmd.Flags().Changed("timeout") {
			return errors.New("--timeout needs --wait: it is how long that waits at most")
		}
		split, err := s.splitOrOnly(ctx, args)
		switch {
		case err != nil:
			return err
		case *wait:
			return s.await(ctx, split, *timeout)
		case *watch:
			return s.watch(ctx, split)
		}
		return s.status(ctx, split)
	})
	return cmd
}

// checkLooks refuses flags of a status that do not go together.
func checkLooks(watch, wait bool, timeout time.Duration) error {
	switch {
	case watch && wait:
		return errors.New("--watch and --wait exclude each other")
	case timeout <= 0:
		return fmt.Errorf("--timeout %s: must be longer than 0s", timeout)
	}
	return nil
}

// status shows a split once.
func (s *session) status(ctx context.Context, split string) error {
	return show(ctx, s, func(ctx context.Context) (control.Status, error) { return s.client.Status(ctx, split) }, s.printStatus)
}

// watch shows a split every second until ctx ends. A proxy that is away for a moment does not end it, as that is when
// one wants to look.
func (s *session) watch(ctx context.Context, split string) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		if s.look.colours {
			s.clearScreen()
		}
		err := s.status(ctx, split)
		if err != nil && exitCode(err) != exitUnreachable {
			return err
		}
		s.printLook(err)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// clearScreen makes a terminal empty, and writing begin at its top.
func (s *session) clearScreen() { fmt.Fprint(s.out, "\x1b[H\x1b[2J") } // home, clear

// printLook ends one look of a watch, which may have failed.
func (s *session) printLook(err error) {
	if s.json {
		s.printDocument(err)
		return
	}
	if err != nil {
		fmt.Fprintln(s.out, printable(once(err.Error())))
	}
	fmt.Fprintln(s.out)
}

func eventsCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events <split>",
		Short: "Shows a split's audit log, newest first",
		Long: `Shows a split's audit log, newest first.

--follow shows it oldest first and goes on with each new event, until interrupted;
with --json a line of JSON for each. --export prints all that is kept, oldest
first, as lines of JSON.`,
		Example: h.examples("split events assistant", "split events assistant --follow", "split events assistant --export > events.jsonl"),
		Args:    atMost(1),
	}
	limit := cmd.Flags().IntP("limit", "n", 20, "how many events to show")
	follow := cmd.Flags().BoolP("follow", "f", false, "go on with each new event, until interrupted")
	export := cmd.Flags().Bool("export", false, "print all events that are kept, oldest first, as lines of JSON")
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		if err := s.needSplit(ctx, args); err != nil {
			return err
		}
		if *limit < 1 {
			return fmt.Errorf("--limit %d: must be at least 1", *limit)
		}
		switch {
		case *follow && *export:
			return errors.New("--follow and --export exclude each other")
		case *follow:
			return s.followEvents(ctx, args[0], *limit)
		case *export:
			return s.exportEvents(ctx, args[0])
		}
		return show(ctx, s, func(ctx context.Context) (control.Events, error) { return s.client.Events(ctx, args[0], *limit) }, s.printEvents)
	})
	return cmd
}

func (s *session) printList(list control.List) {
	s.printWarning(list.Store.Warning)
	t := table{header: []string{"SPLIT", "PHASE", "SHARES", "KILLED", "REVISION", "READY"}}
	for _, split := range list.Splits {
		var shares []string
		for _, v := range split.Variants {
			shares = append(shares, v.Name+" "+v.Weight.String())
		}
		t.add(cell{split.Split, strong}, phaseCell(split), cell{strings.Join(shares, ", "), plain},
			killedCell(split), cell{control.FormatVersion(split.Version), subdued}, yesNo(split.Ready, bad))
	}
	if len(list.Splits) == 0 {
		fmt.Fprintln(s.out, "this proxy has no traffic_split")
	} else {
		t.print(s.out, s.look, "")
	}
	s.say("store", storeName(list.Store.Kind, list.Store.Address, list.Store.Fleet), plain)
}

func (s *session) printEvents(events control.Events) {
	t := table{header: []string{"TIME", "EVENT", "BY", "VIA", "CHANGE", "REASON"}}
	for _, e := range events.Events {
		t.add(cell{s.look.time(e.At), subdued}, cell{e.Kind, eventColour(e.Kind)}, cell{orDash(e.Actor), plain},
			cell{orDash(e.Via), plain}, cell{orDash(shift(e)), plain}, cell{orDash(e.Reason), plain})
	}
	if len(events.Events) == 0 {
		fmt.Fprintf(s.out, "no events of %s yet\n", printable(events.Split))
		return
	}
	t.print(s.out, s.look, "")
}
