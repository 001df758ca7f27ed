package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Tally is what the present step of a rollout has seen, added up over the fleet. It is kept in the store beside the judge's
// state: whoever folds goes on with it.
type Tally struct {
	// Epoch and Step say what it is of.
	Epoch uint64 `json:"epoch"`
	Step  int    `json:"step"`
	// Anew is the second in which the step began anew, as it was resumed after its canary had failed; 0 if it did not.
	Anew int64 `json:"anew,omitempty"`
	// Baked counts the seconds since the canary's first request in which somebody counted: not those in which all proxies, or
	// the store, were down, nor those in which the canary had had no request for the plan's NoTraffic.
	Baked int64 `json:"baked"`
	// Requests and Baseline count the judged requests of the canary and of stable. Users is how many users the canary is known
	// to have had since the trial began; the judge counts on only as long as the plan waits for more.
	Requests uint64 `json:"requests"`
	Baseline uint64 `json:"baseline"`
	Users    uint64 `json:"users"`
	// RequestAt is the last second, by the store's clock, in which the canary had a request; 0 if it had none.
	RequestAt int64 `json:"request_at,omitempty"`
}

// Findings are what a plan moves on.
type Findings struct {
	Tally   Tally
	Verdict health.Verdict
	// Members says of members why no step can be taken for now, a sentence each: they lag, or say nothing.
	Members []string
	// Lacking says of living members that their file does not have the canary, a sentence each. It is asked for by whoever
	// promotes by hand; of a step, Members says it.
	Lacking []string
	// Mixed says of living members that their file declares another version of the canary, likewise.
	Mixed []string
	// Stale says why the verdict is older than what is to be judged, in a sentence; empty if it is not.
	Stale string
	// Closed says of webhooks before the next step why they have not opened, a sentence each; nil once all have.
	Closed []string
}

// Move is what a plan does next.
type Move struct {
	// To is the step to be taken: that after the last one is the promotion; 0 takes none.
	To int
	// Pause says that the plan is to be paused, as the canary fails and the plan does not fail it back.
	Pause bool
	// Waits lists what is waited for, the weightiest first; empty if a step is taken.
	Waits []Wait
	// Due is when the step's time is over, if nobody stops counting; in a window, when that opens after it.
	Due time.Time
}

// Wait is one thing that a plan waits for.
type Wait struct {
	For WaitFor `json:"for"`
	// Text is a sentence for people.
	Text string `json:"text"`
}

// WaitFor names what a plan can wait for.
type WaitFor string

// What a plan waits for.
const (
	WaitResume   WaitFor = "resume"   // somebody paused it
	WaitHealth   WaitFor = "health"   // the canary fails
	WaitBake     WaitFor = "bake"     // the step's time
	WaitTraffic  WaitFor = "traffic"  // requests of the canary
	WaitMinimum  WaitFor = "minimum"  // minimum evidence
	WaitVerdict  WaitFor = "verdict"  // a pass
	WaitMembers  WaitFor = "members"  // members that lag or are silent
	WaitWindow   WaitFor = "window"   // the hours for steps
	WaitWebhook  WaitFor = "webhook"  // a webhook to open
	WaitApproval WaitFor = "approval" // a person
	WaitRevival  WaitFor = "revival"  // a kill is on
)

// Next says what a rollout does next. It is pure: now is by the store's clock, and whoever calls it with the same gets the
// same. It never takes a step on a verdict that is not pass, nor without the evidence that the plan asks for, nor if stable
// had no request in the step: what the canary is held against then is the past. A failback
// is not its business: that needs no plan.
func Next(plan Plan, s *splitter.State, f Findings, now time.Time) Move {
	step := s.Progress.Step
	if s.Progress.Phase != splitter.PhaseTrial || step < 1 || step > plan.Last() {
		return Move{}
	}
	m := Move{Due: due(plan, s, f, now)}
	wait := func(on bool, what WaitFor, format string, args ...any) {
		if on {
			m.Waits = append(m.Waits, Wait{what, fmt.Sprintf(format, args...)})
		}
	}
	p, v, t := s.Progress, f.Verdict, f.Tally.of(s)
	if v.Result == health.Fail {
		m.Pause = plan.OnFail == OnFailPause && p.Paused == nil
		wait(true, WaitHealth, "%s fails: %s", s.Canary, v.Reason)
	}
	if p.Paused != nil {
		wait(true, WaitResume, "paused%s: %s", by(p.Paused.Actor), orNone(p.Paused.Reason))
	}
	kill := s.KillOf(s.Canary)
	wait(kill != nil, WaitRevival, "%s is killed", s.Canary)
	wait(t.Requests == 0, WaitTraffic, "no request of %s in this step yet", s.Canary)
	least, users := uint64(plan.MinRequests), uint64(plan.MinUsers)
	wait(t.Requests > 0 && t.Requests < least, WaitMinimum, "%d of %d requests of %s", t.Requests, least, s.Canary)
	wait(t.Users < users, WaitMinimum, "%d of %d users of %s since the trial began", t.Users, users, s.Canary)
	wait(v.Result == health.Inconclusive, WaitVerdict, "no pass yet: %s", orNone(v.Reason))
	wait(t.Requests > 0 && t.Baseline == 0 && f.Stale == "" && v.Result == health.Pass, WaitVerdict,
		"no request of %s in this step yet that %s could be compared with", s.Stable, s.Canary)
	wait(f.Stale != "", WaitVerdict, "%s", f.Stale)
	hold := plan.Hold(step)
	baked := time.Duration(t.Baked) * time.Second
	wait(baked < hold, WaitBake, "%s of %s at %s%s", health.Duration(baked), health.Duration(hold), plan.given(s), t.since())
	for _, text := range f.Members {
		wait(true, WaitMembers, "%s", text)
	}
	wait(!plan.Window.Contains(now), WaitWindow, "steps are taken in %s", plan.Window)
	for _, g := range plan.GatesBefore(step + 1) {
		wait(g.Approval && p.Approved <= step, WaitApproval, "somebody must approve step %d (%s)", step+1, plan.weightText(step+1))
	}
	for _, text := range f.Closed {
		wait(true, WaitWebhook, "%s", text)
	}
	if len(m.Waits) == 0 {
		m.To = step + 1
	}
	return m
}

// given is what the canary has at its step: what the plan gives, of which stable may keep a trickle, unless people gave it
// something else.
func (p Plan) given(s *splitter.State) splitter.Weight {
	if s.RunningTrickle() != nil || s.RunningProbe() != nil {
		return p.Step(s.Progress.Step).Weight
	}
	return s.Weights()[s.Canary]
}

// due returns when a step's time is over at the earliest.
func due(plan Plan, s *splitter.State, f Findings, now time.Time) time.Time {
	left := plan.Hold(s.Progress.Step) - time.Duration(f.Tally.of(s).Baked)*time.Second
	return plan.Window.Opens(now.Add(max(left, 0)))
}

// weightText names what a step gives the canary.
func (p Plan) weightText(n int) string {
	if n > p.Last() {
		return "promotion"
	}
	return p.Step(n).Weight.String()
}

// since says since when the time of a step that was resumed counts.
func (t Tally) since() string {
	if t.Anew == 0 {
		return ""
	}
	return ", anew since " + clockOf(time.Unix(t.Anew, 0))
}

func by(actor string) string {
	if actor == "" {
		return ""
	}
	return " by " + actor
}

func orNone(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return "no reason was given"
	}
	return text
}
