package splitcmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// ending is what may be said of how a kill ends what is in flight.
type ending struct {
	cmd      *cobra.Command
	level    string
	deadline time.Duration
	rate     string
}

// addFlags adds the ending's flags to a command.
func (e *ending) addFlags(cmd *cobra.Command) {
	e.cmd = cmd
	f := cmd.Flags()
	f.StringVar(&e.level, "level", "requests", "what is in flight finishes (requests), is ended at the deadline (drain), or now (cut)")
	f.DurationVar(&e.deadline, "deadline", splitter.DefaultDrain, "how long a drain waits, at most 24h")
	f.StringVar(&e.rate, "rate", "", "end at most so many requests a second, over all instances, as in 200/s (default: all at once)")
}

// request returns the kill to ask for. What does not go together is the API's to say.
func (e *ending) request(variant string, all bool, by control.Claim) (control.KillRequest, error) {
	r := control.KillRequest{Variant: variant, All: all, Claim: by}
	if err := r.Level.UnmarshalText([]byte(e.level)); err != nil {
		return r, err
	}
	if e.cmd.Flags().Changed("deadline") {
		r.Deadline = (*health.Duration)(&e.deadline)
	}
	if e.cmd.Flags().Changed("rate") {
		return r, r.Rate.UnmarshalText([]byte(e.rate))
	}
	return r, nil
}

func killCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kill <split> [<variant>]",
		Short: "Turns a split or one variant off, for everybody, until revived",
		Long: `Turns a split or one variant off, for everybody, until revived.

New requests are refused at once, whatever the level. What is in flight finishes
(requests), finishes or is ended at the deadline (drain), or is ended now (cut).
A revival before the deadline ends nothing.

All that is ended is ended at once, and its clients come back at once. --rate
spreads that: 200/s is for all instances together, each takes its share, and at
least 1 a second.

A kill holds even if the store is away: on the proxy that is asked at once, and
on all others when they can be told, at the latest when the store is back. To
kill at once everywhere meanwhile, ask each proxy.`,
		Example: h.examples(`split kill assistant green --reason "leaks prompts"`,
			`split kill assistant --level cut`,
			`split kill assistant green --level drain --deadline 2m --rate 200/s`),
		Args: atMost(2),
	}
	var e ending
	e.addFlags(cmd)
	all := cmd.Flags().Bool("all", false, "allow to name stable, which turns the whole split off")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		r, err := e.request(second(args), *all, by)
		if err != nil {
			return control.Change{}, err
		}
		return s.client.Kill(ctx, args[0], r, o...)
	})
	return cmd
}

// manner says how a kill ends what is in flight: requests, drain 30s, cut, cut at 200/s.
func manner(k splitter.Kill) string {
	text := k.Level.String()
	if from, _ := k.CutsFrom(); k.Level == splitter.KillDrain {
		text += " " + health.Duration(from.Sub(k.At)).String()
	}
	if k.Rate == 0 || k.Level == splitter.KillRequests {
		return text
	}
	if k.Level == splitter.KillDrain {
		return text + ", then " + k.Rate.String()
	}
	return text + " at " + k.Rate.String()
}

// printEnding says how far a kill that ends requests in flight has come. An older release, which says no time, knows of no
// such kill but a cut at once.
func (s *session) printEnding(status control.Status, k splitter.Kill) {
	if status.Now.IsZero() {
		return
	}
	n := 0
	for _, v := range status.Variants {
		if k.Variant == "" || k.Variant == v.Name {
			n += v.InFlight
		}
	}
	from, ends := k.CutsFrom()
	switch left := fmt.Sprintf("%d in flight on this proxy", n); {
	case ends && status.Now.Before(from):
		s.say("draining", fmt.Sprintf("%s until %s, %s", whatOf(k), s.look.time(from), left), doubt)
	case ends && n > 0:
		s.say("cutting", fmt.Sprintf("%s, %s", whatOf(k), left), doubt)
	}
}
