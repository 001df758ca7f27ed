package rollout

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// keepTrickle takes from the canary what stable is to keep of the weights wanted in n, and notes in n for how long.
// Stable keeps nothing if it was given as much, or if nobody may be served by it, or it is retired; and never more than
// half of what the two have. running is the trickle of n's trial, nil if that begins or had none yet: the watch of a
// trial goes on, and is not begun again, until stable is given as much as it keeps during a watch.
func keepTrickle(n *splitter.State, running *splitter.Trickle, p Policy, want map[string]splitter.Weight, now time.Time) {
	n.Trickle = nil
	if !p.trickles() || n.Canary == "" || isKilledAlone(n, n.Stable) || slices.Contains(n.Retired, n.Stable) {
		return
	}
	asked, half := want[n.Stable], (want[n.Stable]+want[n.Canary])/2
	first, then := min(weightOf(p.Judge.Trickle.First), half), min(weightOf(p.Judge.Trickle.Then), half)
	if then == 0 || asked >= first {
		return
	}
	t := splitter.Trickle{Until: now.Add(time.Duration(p.Judge.Trickle.Watch))}
	if running != nil {
		t = *running
	}
	t.Epoch, t.Keeps, t.Then = n.Epoch, first, min(max(then, asked), first)
	if t.Until.IsZero() || t.Then == first {
		t.Keeps, t.Until = t.Then, time.Time{}
	}
	want[n.Canary] -= t.Keeps - asked
	want[n.Stable] = t.Keeps
	n.Trickle = &t
}

// trickles reports whether a policy keeps some traffic on stable.
func (p Policy) trickles() bool { return p.Judge != nil && !p.Judge.Trickle.Off }

// isKilledAlone reports whether a kill is on of a variant, and not only of the whole split.
func isKilledAlone(s *splitter.State, variant string) bool {
	return slices.ContainsFunc(s.Kills, func(k splitter.Kill) bool { return k.Variant == variant })
}

// weightOf returns a share as a weight.
func weightOf(share float64) splitter.Weight {
	return splitter.Weight(math.Round(share * float64(splitter.Full)))
}

// EndWatch lowers what stable keeps beside the canary, once the watch is over. It returns false, and no change, if it is
// not over yet, was ended before, or somebody has given stable another share since.
func EndWatch(prev *splitter.State, by By, seed Seed) (Changed, bool, error) {
	if !watchIsOver(prev, seed.Now) {
		return Changed{}, false, nil
	}
	t := *prev.RunningTrickle()
	by.Reason = fmt.Sprintf("the watch is over: %s keeps %s until the promotion", prev.Stable, t.Then)
	n := next(prev, KindTrickle, by, seed)
	w := prev.Weights()
	w[prev.Canary] += t.Keeps - t.Then
	w[prev.Stable] = t.Then
	var err error
	if n.Ranges, err = splitter.Reassign(prev.Ranges, prev.Canary, shares(w, nil)); err != nil {
		return Changed{}, false, fmt.Errorf("end the watch of %q: %w", prev.Split, err)
	}
	t.Keeps, t.Until = t.Then, time.Time{}
	n.Trickle = &t
	c, err := tell(prev, n)
	return c, err == nil, err
}

// watchIsOver reports whether stable's share is to be lowered now. While a probe lasts it is not, as stable has more. A
// State of a newer schema is left to newer releases.
func watchIsOver(s *splitter.State, now time.Time) bool {
	isOurs := s.Schema <= splitter.Schema && s.Forgotten.IsZero()
	return isOurs && s.IsTrickling() && !s.Trickle.Until.IsZero() && !now.Before(s.Trickle.Until)
}

// settleTrickle ends a watch that is over. Every instance tries; the store sees to it that one does.
func (c *Controller) settleTrickle(ctx context.Context, s *Split) error {
	if !watchIsOver(s.storedState(), c.now()) {
		return nil
	}
	return c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		return EndWatch(prev, By{Actor: selfActor, Via: "judge"}, c.seed())
	})
}

// trickleNote says, to whoever asked for new weights, what stable keeps of them.
func trickleNote(state *splitter.State, now time.Time) string {
	if state == nil || !state.IsTrickling() {
		return ""
	}
	keeps := state.Trickle.Keeps.String()
	if until := state.Trickle.Until; !until.IsZero() {
		left := health.Duration(max(until.Sub(now), 0).Round(time.Second))
		keeps += fmt.Sprintf(" for %s and then %s", left, state.Trickle.Then)
	}
	return "stable keeps " + keeps + " until the promotion, so that a shared outage can be told from a bad canary: " +
		"`trickle off` in the block `judge` keeps none"
}

// baselineNotes says what stable has to compare the canary with, where that is not what the weights asked for say.
func baselineNotes(state *splitter.State, p Policy) []string {
	var notes []string
	if state.IsTrickling() {
		notes = append(notes, fmt.Sprintf("%s keeps %s%s: without it the judge could not tell a shared outage", state.Stable,
			state.Trickle.Keeps, thenKeeps(state.Trickle)))
	}
	if probe := state.RunningProbe(); probe != nil {
		notes = append(notes, fmt.Sprintf("a probe lends %s a part of %s's users until %s, to compare them: %s", state.Stable,
			state.Canary, clockTime(probe.Until), probe.Why))
	}
	if suspected := state.Progress.Suspected; suspected != "" {
		notes = append(notes, "shared cause suspected: "+suspected)
	}
	w := state.Weights()
	if p.Judge != nil && state.Progress.Phase == splitter.PhaseTrial && w[state.Canary] > 0 && w[state.Stable] == 0 {
		notes = append(notes, fmt.Sprintf("no traffic stays on %s: the judge cannot tell a shared outage", state.Stable))
	}
	return notes
}

// thenKeeps says until when stable keeps what it does, and what then.
func thenKeeps(t *splitter.Trickle) string {
	if t.Until.IsZero() {
		return " until the promotion"
	}
	return fmt.Sprintf(" until %s, and then %s until the promotion", clockTime(t.Until), t.Then)
}
