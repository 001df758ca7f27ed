package rollout

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Why says in sentences what is going on with a split, since when, what is waited for, and what comes next. It asks nobody:
// it says what this instance knows. The error is ErrUnknownSplit.
func (c *Controller) Why(split string) ([]string, error) {
	st, err := c.StatusHere(split)
	if err != nil {
		return nil, err
	}
	return why(st), nil
}

// why says what a status comes to.
func why(st Status) (list []string) {
	if st.StoreError != "" {
		list = append(list, "The store is away, so that nothing is changed but by kills and failbacks: "+st.StoreError+".")
	}
	if st.State == nil {
		return append(list, fmt.Sprintf("No state is known yet: %s serves everyone who is not killed.", st.Local.Stable))
	}
	for _, k := range st.State.Kills {
		list = append(list, fmt.Sprintf("%s was killed %s%s: %s.", cmp.Or(k.Variant, "The whole split"), ago(k.At, st.Now),
			by(k.Actor), orNone(k.Reason)))
	}
	if d := st.State.Drill; d != nil {
		list = append(list, fmt.Sprintf("A drill sends %d test users to %s until %s.", len(d.Users), d.Variant, clockTime(d.Until)))
	}
	switch {
	case st.Plan != nil:
		list = append(list, st.whyPlan()...)
	case st.State.Progress.Phase == splitter.PhaseTrial:
		list = append(list, st.whyTrial(), st.whyVerdict())
	case st.State.Progress.Phase == splitter.PhaseFailedBack:
		list = append(list, st.whyFailedBack()...)
	default:
		list = append(list, st.whyIdle())
	}
	if len(st.Mixed) > 0 && st.Plan == nil { // which waits for them
		list = append(list, "Not all serve the same: "+strings.Join(st.Mixed, "; ")+".")
	}
	return append(append(list, st.whyDrill()...), st.whyCooldown()...)
}

// whyPlan says how far a rollout by a plan is.
func (st Status) whyPlan() []string {
	p, s := st.Plan, st.State
	list := append(p.whyExposed(s), st.whyStep(), st.whyVerdict(), fmt.Sprintf("This step was judged for %s by %d requests of %s and %d of %s.",
		seconds(p.Tally.Baked), p.Tally.Requests, s.Canary, p.Tally.Baseline, s.Stable))
	for _, w := range p.Waits {
		list = append(list, "Waits for "+string(w.For)+": "+w.Text+".")
	}
	if s.Progress.Paused == nil {
		list = append(list, p.whyNext(st.Now))
	}
	for _, w := range p.Warnings {
		list = append(list, "Warning: "+w+".")
	}
	return list
}

// whyStep says which step a rollout is at, and what becomes of it at the last one.
func (st Status) whyStep() string {
	p, s := st.Plan, st.State
	weight, reached := s.Weights()[s.Canary], ago(p.Reached, st.Now)
	if p.Step < p.Plan.Last() || p.Exposed != nil || p.fails() {
		return fmt.Sprintf("%s is at step %d of %d, with %s, reached %s.", s.Canary, p.Step, p.Plan.Last(), weight, reached)
	}
	then := "then promoted"
	if s.Progress.Paused != nil {
		then = "promoted after that if somebody resumes the rollout"
	}
	return fmt.Sprintf("%s has %s, reached %s: it is watched for %s, and %s.", s.Canary, weight, reached, p.Plan.Watch, then)
}

// whyExposed says that the canary of a paused rollout fails, who has it, and what a person can do.
func (p *PlanStatus) whyExposed(s *splitter.State) []string {
	e := p.Exposed
	if e == nil {
		return nil
	}
	fails := "failed"
	if p.fails() {
		fails = "fails"
	}
	text := fmt.Sprintf("PAUSED: %s %s and still has %s of the users", e.Canary, fails, e.Share)
	if p.Plan.OnFail == OnFailPause { // else it is failed back, or that is held as stable is dead
		text += fmt.Sprintf(": `split abort %s` takes everybody back to %s; `split resume %s` once it is repaired", s.Split, e.Stable, s.Split)
	}
	return []string{text + "."}
}

// whyNext says what comes next, and when at the earliest.
func (p *PlanStatus) whyNext(now time.Time) string {
	what := "the promotion"
	if p.Next > 0 {
		what = fmt.Sprintf("step %d (%s)", p.Step+1, p.Next)
	}
	if !p.Due.After(now) {
		return "Next is " + what + ", as soon as nothing is waited for."
	}
	return fmt.Sprintf("Next is %s, at %s (in %s) at the earliest.", what, clockTime(p.Due), health.Duration(p.Due.Sub(now).Round(time.Second)))
}

// whyTrial says how a trial is that people move by hand.
func (st Status) whyTrial() string {
	s := st.State
	return fmt.Sprintf("%s has %s and is on trial since %s; no plan moves it, people do.", s.Canary, s.Weights()[s.Canary],
		clockTime(s.Progress.Since))
}

// whyVerdict says what the judge says.
func (st Status) whyVerdict() string {
	if st.Verdict == nil {
		return "Nothing was judged yet."
	}
	if st.Alone {
		return fmt.Sprintf("There is no verdict: %s. By its own requests alone, this instance finds %s: %s.", notTogether,
			st.Verdict.Result, orNone(st.Verdict.Reason))
	}
	return fmt.Sprintf("The verdict is %s: %s.", st.Verdict.Result, orNone(st.Verdict.Reason))
}

// whyFailedBack says why a canary has nothing any more, and what can be done.
func (st Status) whyFailedBack() []string {
	s := st.State
	list := []string{fmt.Sprintf("%s failed back to %s %s: %s.", s.Canary, s.Stable, ago(s.Progress.Since, st.Now), orNone(s.Progress.Why))}
	if s.Progress.Suspected != "" {
		list = append(list, "A shared cause is suspected: "+s.Progress.Suspected+".")
	}
	return append(list, "It gets nothing until somebody begins again: `split retry` goes by the plan anew.")
}

// whyIdle says that no rollout is under way, and how the last one ended.
func (st Status) whyIdle() string {
	s := st.State
	switch s.Progress.Ended {
	case splitter.EndPromoted:
		return fmt.Sprintf("%s was promoted %s: it is stable. No rollout is under way.", s.Stable, ago(s.Progress.Since, st.Now))
	case splitter.EndAborted:
		return fmt.Sprintf("The last rollout was aborted %s: %s has everything but what was given by hand. It was %s.",
			ago(s.Progress.Since, st.Now), s.Stable, cmp.Or(s.Progress.Why, "aborted"))
	case splitter.EndRolledBack:
		return fmt.Sprintf("The last promotion was rolled back %s: %s is stable again.", ago(s.Progress.Since, st.Now), s.Stable)
	}
	if s.Canary == "" {
		return fmt.Sprintf("%s is stable, and there is no canary.", s.Stable)
	}
	return fmt.Sprintf("%s is stable and no rollout is under way: `split start` begins one of %s.", s.Stable, s.Canary)
}

// whyDrill says that the latest drill failed, so that nobody knows whether a failback would work.
func (st Status) whyDrill() []string {
	f, failed := st.State.LatestDrillFailed()
	if !failed {
		return nil
	}
	return []string{fmt.Sprintf("The latest drill%s; %s.", failureText(f, st.Now), lastPassText(st.State.Drilled, st.Now))}
}

// whyCooldown says until when the canary may not be increased.
func (st Status) whyCooldown() []string {
	until := st.State.Cooldown.Until
	if !st.Now.Before(until) {
		return nil
	}
	return []string{fmt.Sprintf("After a failback, %s may not be increased before %s (in %s) without force.", st.State.Canary,
		clockTime(until), health.Duration(until.Sub(st.Now).Round(time.Second)))}
}

// clockTime returns a time for people, to the second.
func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// clockOf is clockTime of what is so near that everybody knows the day.
func clockOf(t time.Time) string { return t.UTC().Format("15:04:05 MST") }

// ago says when something was, for people.
func ago(t, now time.Time) string {
	return fmt.Sprintf("%s ago, at %s", health.Duration(max(now.Sub(t), 0).Round(time.Second)), clockTime(t))
}

// seconds is a number of seconds as a duration.
func seconds(n int64) health.Duration { return health.Duration(time.Duration(n) * time.Second) }
