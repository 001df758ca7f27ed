package splitcmd

import (
	"context"
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

func listCommand(h host) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Lists the splits with their variants and shares",
		Args:  atMost(0),
		RunE: h.run(func(ctx context.Context, s *session, _ []string) error {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			list, err := s.client.List(ctx)
			if err != nil || s.json {
				return err
			}
			s.printList(list)
			return nil
		}),
	}
}

func statusCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [<split>]",
		Short: "Shows a split: shares, evidence, verdict, kills and what does not agree",
		Args:  atMost(1),
	}
	watch := cmd.Flags().BoolP("watch", "w", false, "show it again every second, until interrupted")
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		split, err := s.splitOrOnly(ctx, args)
		if err != nil {
			return err
		}
		if *watch {
			return s.watch(ctx, split)
		}
		return s.status(ctx, split)
	})
	return cmd
}

// status shows a split once.
func (s *session) status(ctx context.Context, split string) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	status, err := s.client.Status(ctx, split)
	if err != nil || s.json {
		return err
	}
	s.printStatus(status)
	return nil
}

// watch shows a split every second until ctx ends. A proxy that is away for a moment does not end it, as that is when
// one wants to look.
func (s *session) watch(ctx context.Context, split string) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		if s.look.colours {
			fmt.Fprint(s.out, "\x1b[H\x1b[2J") // home, clear
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
		Args:  atMost(1),
	}
	limit := cmd.Flags().IntP("limit", "n", 20, "how many events to show")
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		if err := s.needSplit(ctx, args); err != nil {
			return err
		}
		if *limit < 1 {
			return fmt.Errorf("--limit %d: must be at least 1", *limit)
		}
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		events, err := s.client.Events(ctx, args[0], *limit)
		if err != nil || s.json {
			return err
		}
		s.printEvents(events)
		return nil
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
		t.add(cell{split.Split, strong}, phase(split.Progress), cell{strings.Join(shares, ", "), plain},
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
