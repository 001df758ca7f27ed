package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// defaultDrillEvery is after how long a drill is due where the file does not say.
const defaultDrillEvery = 30 * 24 * time.Hour

// scrapedWithin is how long ago metrics must have been read for somebody to seem to look at them.
const scrapedWithin = 5 * time.Minute

// policy: whether a bad canary is failed back.
func (p *preflight) policy(context.Context) finding {
	limits, judge := p.def.Policy.Failback, p.def.Policy.Judge
	switch {
	case limits == nil:
		return misses("nothing fails a bad canary back: failback is off")
	case judge == nil && limits.Empty():
		return misses("nothing fails a bad canary back: neither limits nor a judge are configured")
	case judge == nil:
		return isOK("the canary is failed back by limits")
	case limits.Empty():
		return isOK("the canary is failed back by comparison with %s", p.stable())
	}
	return isOK("the canary is failed back by limits, and by comparison with %s", p.stable())
}

// stable names who is trusted: by the State, or while none is known by the file.
func (p *preflight) stable() string {
	if p.state != nil {
		return p.state.Stable
	}
	return p.def.Stable
}

// gates: whether the plan's gates can open, and a rollout can fail.
func (p *preflight) gates(context.Context) finding {
	plan := p.def.plan()
	if err := plan.Validate(); err != nil {
		return misses("the plan is not valid: %s", oneLine(err))
	}
	if err := p.def.Fits(); err != nil {
		return misses("%s", oneLine(err))
	}
	gates := []string{"the verdict"}
	for _, g := range plan.Gates {
		switch {
		case g.Approval:
			gates = append(gates, "an approval")
		case g.Webhook != "":
			gates = append(gates, "a webhook")
		}
	}
	return isOK("steps are taken on %s, and a canary that fails %s", strings.Join(gates, ", "), plan.OnFail.text())
}

// text says what becomes of a canary.
func (o OnFail) text() string {
	if o == OnFailPause {
		return "is paused"
	}
	return "is failed back"
}

// plan: whether somebody has said how a rollout goes on.
func (p *preflight) plan(context.Context) finding {
	plan := p.def.plan()
	if p.def.Plan == nil {
		return warns("no rollout is configured: the default plan counts, %s in %s", plan.stepsText(), health.Duration(plan.Duration()))
	}
	return isOK("%s in %s", plan.stepsText(), health.Duration(plan.Duration()))
}

// metrics: whether somebody reads them.
func (p *preflight) metrics(context.Context) finding {
	if p.c.opts.Scraped == nil {
		return warns("whether anybody reads this instance's metrics is not known")
	}
	at := p.c.opts.Scraped()
	switch age := time.Since(at); {
	case at.IsZero():
		return warns("nobody has read this instance's metrics since it started")
	case age > scrapedWithin:
		return warns("this instance's metrics were read %s ago, and not since", age.Round(time.Second))
	default:
		return isOK("this instance's metrics were read %s ago", age.Round(time.Second))
	}
}

// drill: whether it is known that a failback works. One that failed is a miss until one passes. Where the file does not say how
// often that is to be rehearsed, one that is due is only a warning.
func (p *preflight) drill(context.Context) finding {
	every, due := time.Duration(p.def.DrillEvery), misses
	if every == 0 {
		every, due = defaultDrillEvery, warns
	}
	again := fmt.Sprintf("`split drill %s USER...`", p.split.name)
	var last splitter.Drilled
	if p.state != nil {
		last = p.state.Drilled
		if f, failed := p.state.LatestDrillFailed(); failed {
			return misses("the latest drill%s; %s: %s", failureText(f, p.now), lastPassText(last, p.now), again)
		}
	}
	age := p.now.Sub(last.At)
	switch {
	case last.At.IsZero():
		return due("no drill has passed yet: %s rehearses a failback", again)
	case age > every:
		return due("the last drill that passed was %s ago, and is to be repeated every %s: %s", days(age), days(every), again)
	}
	return isOK("a drill passed %s ago%s", days(age), by(last.By))
}

// days writes a time that is mostly longer than a day.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return health.Duration(d.Round(time.Second)).String()
	case d < day:
		return health.Duration(d.Round(time.Minute)).String()
	}
	if n := d / day; n > 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "1 day"
}

// contact: whether somebody is named who can be called.
func (p *preflight) contact(context.Context) finding {
	if p.def.Contact == "" {
		return misses("nobody is named to be called when a rollout needs a person: set `contact`")
	}
	return isOK("%s", p.def.Contact)
}

// canary: whether there is one that can be given something.
func (p *preflight) canary(context.Context) finding {
	s := p.state
	if s == nil {
		return misses("no state of the split is known yet")
	}
	weight := s.Weights()[s.Canary]
	switch {
	case s.Canary == "":
		return misses("the split has no canary")
	case !p.def.has(s.Canary):
		return misses("the canary is %s, which this instance's file does not have; `split adopt %s` lets the state follow the file", s.Canary, s.Split)
	case s.KillOf(s.Canary) != nil:
		return misses("%s is killed", s.Canary)
	case slices.Contains(s.Retired, s.Canary):
		return misses("%s is retired", s.Canary)
	case s.Progress.Phase == splitter.PhaseTrial:
		return misses("%s is on trial already, with %s", s.Canary, weight)
	case weight > 0:
		return misses("%s has %s already", s.Canary, weight)
	case p.now.Before(s.Cooldown.Until):
		return misses("%s is in cooldown after a failback, for %s", s.Canary, s.Cooldown.Until.Sub(p.now).Round(time.Second))
	case s.Progress.Phase == splitter.PhaseFailedBack:
		return warns("%s was failed back, and its cooldown is over: %s", s.Canary, orNone(s.Progress.Why))
	}
	if replaced := replacedText(s); replaced != "" {
		return warns("%s", replaced)
	}
	return isOK("%s has 0%%", s.Canary)
}

// kills: whether any is on.
func (p *preflight) kills(context.Context) finding {
	if p.state == nil || len(p.state.Kills) == 0 {
		return isOK("no kill is on")
	}
	var of []string
	for _, k := range p.state.Kills {
		of = append(of, killed(k))
	}
	return misses("killed: %s", strings.Join(of, ", "))
}

// killed names what a kill is of.
func killed(k splitter.Kill) string {
	if k.Variant == "" {
		return "the whole split"
	}
	return k.Variant
}

// oneLine writes joined errors as one sentence.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
