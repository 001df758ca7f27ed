package splitcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// changeTimeout bounds a change, besides what it waits for the fleet.
const changeTimeout = 20 * time.Second

// terms are what every change may be given: who, why, on what condition and how patiently.
type terms struct {
	host    host
	reason  string
	actor   string
	version string
	wait    time.Duration
}

// addFlags adds the terms' flags to a command.
func (t *terms) addFlags(cmd *cobra.Command) {
	t.addClaimFlags(cmd)
	cmd.Flags().DurationVar(&t.wait, "wait", 2*time.Second, "how long to wait until every instance has applied it; 0 does not wait")
}

// addClaimFlags adds those flags alone that say who, why and on what condition.
func (t *terms) addClaimFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&t.reason, "reason", "r", "", "why, for the audit log")
	f.StringVar(&t.actor, "actor", "", "who asks, for the audit log (default: $USER@host)")
	f.StringVar(&t.version, "if", "", "refuse unless the split is still at this `revision`, as the status shows it: 12-c0ffee")
}

// claim returns who asks and why.
func (t *terms) claim() control.Claim {
	actor := t.actor
	if actor == "" {
		actor = t.host.whoAmI()
	}
	return control.Claim{Actor: actor, Reason: t.reason}
}

// options returns how the change is to be made.
func (t *terms) options() ([]control.Option, error) {
	options := []control.Option{control.Wait(t.wait)}
	if t.version != "" {
		v, err := control.ParseVersion(t.version)
		if err != nil {
			return nil, err
		}
		options = append(options, control.If(v))
	}
	return options, nil
}

// whoAmI returns user@host; behind sudo the user who called it.
func (h host) whoAmI() string {
	name := h.getenv("SUDO_USER")
	if name == "" {
		name = h.getenv("USER")
	}
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	if machine, err := h.hostname(); err == nil {
		name += "@" + machine
	}
	return name
}

// change asks for one change.
type change func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error)

// course is a change with what goes on around it.
type course struct {
	// before completes the arguments, which may take its time; nil leaves them.
	before func(ctx context.Context, s *session, args []string) ([]string, error)
	do     change
	// slow is how long it may take besides, as others are asked first.
	slow time.Duration
	// after shows more of what was done to a split; nil shows nothing.
	after func(ctx context.Context, s *session, split string)
}

// changes returns the function of a sub-command that changes a split, and gives the command the terms' flags.
func (h host) changes(cmd *cobra.Command, do change) func(*cobra.Command, []string) error {
	return h.carryOut(cmd, course{do: do})
}

// carryOut is changes for a change with more around it.
func (h host) carryOut(cmd *cobra.Command, c course) func(*cobra.Command, []string) error {
	t := &terms{host: h}
	t.addFlags(cmd)
	return h.run(func(ctx context.Context, s *session, args []string) error {
		if err := s.needSplit(ctx, args); err != nil {
			return err
		}
		options, err := t.options()
		if err != nil {
			return err
		}
		if c.before != nil {
			if args, err = c.before(ctx, s, args); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, changeTimeout+c.slow+t.wait)
		defer cancel()
		answer, err := c.do(ctx, s, args, t.claim(), options)
		if err != nil {
			return err
		}
		if !s.json {
			s.printChange(answer)
			if c.after != nil {
				c.after(ctx, s, args[0])
			}
		}
		return confirmed(answer, t.wait, s.address)
	})
}

// printChange says what a change did.
func (s *session) printChange(c control.Change) {
	what, kills := shift(c.Event), []string(nil)
	if c.Event.Kind == kindImported { // it may turn on several, which are listed as a dry run does
		what, kills = moved(c.Event), turnedOn(c.Event)
	}
	s.printEvent(c, what)
	for _, kill := range kills {
		fmt.Fprintf(s.out, "  %s\n", s.look.paint(printable(kill), bad))
	}
	if c.Note != "" {
		s.say("note", c.Note, doubt)
	}
	if c.Confirmation == nil {
		return
	}
	colour := good
	if !c.Confirmation.Complete() {
		colour = bad
	}
	s.say("applied", c.Confirmation.Summary, colour)
	for _, l := range c.Confirmation.Laggards {
		s.say("missing", l.Name+": "+laggard(l), bad)
	}
}

// printEvent says in a line what kind of change it was, and what it changed.
func (s *session) printEvent(c control.Change, what string) {
	text := cmp.Or(c.Event.Kind, "unchanged") // nothing is logged of a change to what is there
	if what != "" {
		text += "  " + what
	}
	fmt.Fprintf(s.out, "%s  %s  %s\n", s.look.paint(printable(c.Split), strong), printable(text),
		s.look.paint("revision "+printable(control.FormatVersion(c.Version)), subdued))
}

func weightCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "weight <split> <variant>=<percent>...",
		Short: "Changes shares; what the named variants leave or take is stable's",
		Example: h.examples(`split weight assistant green=10% --reason "first tenth"`,
			`split weight assistant --from-file`),
		Args: cobra.ArbitraryArgs,
	}
	force := cmd.Flags().Bool("force", false, "increase the canary in spite of a cooldown")
	fromFile := cmd.Flags().Bool("from-file", false, "take the weights of the proxy's configuration file")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		weights, err := parseWeights(args[1:])
		if err != nil {
			return control.Change{}, err
		}
		if *fromFile == (len(weights) > 0) {
			return control.Change{}, errors.New("either weights (green=10%) or --from-file is needed")
		}
		r := control.WeightsRequest{Weights: weights, FromFile: *fromFile, Force: *force, Claim: by}
		answer, err := s.client.SetWeights(ctx, args[0], r, o...)
		return answer, s.explainSum(ctx, args[0], weights, err)
	})
	return cmd
}

// explainSum adds to the refusal of weights that name stable how to do without: whoever names it must see to the sum.
func (s *session) explainSum(ctx context.Context, split string, weights map[string]splitter.Weight, err error) error {
	p, ok := errors.AsType[*control.Problem](err)
	if !ok || p.Kind() != "invalid" {
		return err
	}
	status, failed := s.client.WithTap(nil).Status(ctx, split)
	if _, named := weights[status.Stable]; failed != nil || !named {
		return err
	}
	hint := "name the other variants' shares; stable takes the rest"
	if call := withoutStable(status, weights); call != "" {
		hint += ": `" + s.cmd.CommandPath() + " " + split + " " + call + "`"
	}
	return hintedError{err, hint}
}

// withoutStable returns the weights to name instead of some that name stable: those of the others, or what the only other
// variant gets if stable has its share; nothing if that is not to be known.
func withoutStable(status control.Status, weights map[string]splitter.Weight) string {
	var named, others []string
	for _, v := range status.Variants {
		w, isNamed := weights[v.Name]
		switch {
		case v.Name == status.Stable:
			continue
		case isNamed:
			named = append(named, v.Name+"="+w.String())
		}
		others = append(others, v.Name)
	}
	if stable := weights[status.Stable]; len(named) == 0 && len(others) == 1 && stable <= splitter.Full {
		return others[0] + "=" + (splitter.Full - stable).String()
	}
	return strings.Join(named, " ")
}

func reviveCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revive <split> [<variant>]",
		Short: "Lifts kills: by id, of one variant, or all of a split",
		Args:  atMost(2),
	}
	ids := cmd.Flags().StringSlice("id", nil, "lift the kills with these ids only")
	cmd.RunE = h.changes(cmd, func(ctx context.Context, s *session, args []string, by control.Claim, o []control.Option) (control.Change, error) {
		r := control.ReviveRequest{IDs: *ids, Variant: second(args), Claim: by}
		return s.client.Revive(ctx, args[0], r, o...)
	})
	return cmd
}
