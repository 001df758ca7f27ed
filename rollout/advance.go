package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// usersEvery is how often it is asked how many users the canary had, while a plan waits for more.
	usersEvery = 5 * time.Second
	// maxBehind is how many seconds may not be judged yet when a step is taken: as many as one may be waited for, and two.
	maxBehind = int64(sealPatience/time.Second) + 2
	// maxUnjudged is for how long the canary may have had requests that the verdict does not rest on when a step is taken.
	maxUnjudged = 10 * time.Second
)

// advancing is what whoever folds a split's evidence knows of its plan.
type advancing struct {
	tally   tallying
	present attendance
	// members, stale and shut are what was last found of members, the verdict and webhooks: see Findings.
	members []string
	stale   string
	shut    []string
	usersAt time.Time // when users were last asked for
	overdue overdue
}

// account is what whoever folds a plan's evidence tells the others of it, with the judge's state.
type account struct {
	Tally Tally `json:"tally"`
	// UpTo is the newest second that is in the tally.
	UpTo int64 `json:"up_to"`
	// Members, Stale and Closed are as in Findings, Held says why a failback is held.
	Members []string `json:"members,omitempty"`
	Stale   string   `json:"stale,omitempty"`
	Closed  []string `json:"closed,omitempty"`
	Held    string   `json:"held,omitempty"`
	// Shares are the members' shares of the requests when they were last heard, by boot; of those that are missing it is
	// too small to matter.
	Shares map[string]float64 `json:"shares,omitempty"`
}

// takeUp goes on from what the one who folded before has stored.
func (a *advancing) takeUp(was *account) {
	*a = advancing{}
	if was != nil {
		a.tally = tallying{Tally: was.Tally, upTo: was.UpTo}
		a.present = attendance{stored: was.Shares}
		a.members, a.stale, a.shut = was.Members, was.Stale, was.Closed
	}
}

// account returns what the others are to know.
func (d *docket) account() *account {
	a := &d.advance
	return &account{Tally: a.tally.Tally, UpTo: a.tally.upTo, Members: a.members, Stale: a.stale, Closed: a.shut, Held: d.held.why,
		Shares: a.present.shares()}
}

// advance moves a plan on, as far as everything that it asks for is so by what was folded. What costs a round trip is asked
// for last: as long as anything else is waited for, there is none.
func (c *Controller) advance(ctx context.Context, h *hearing, v health.Verdict) {
	state, a := h.trial.state, &h.split.docket.advance
	if h.trial.plan == nil {
		return
	}
	c.countUsers(ctx, h)
	a.shut = nil
	a.members, a.stale = c.lags(h, rollOf(c.called.Load()), nil), h.stale()
	m := c.nextMove(h, v)
	if waitsOnlyFor(m, WaitApproval) {
		shut := c.askWebhooks(ctx, h, v)
		for _, s := range shut {
			a.shut = append(a.shut, s.text)
		}
		m = c.nextMove(h, v)
		c.tellOfGates(ctx, h, m, shut)
	}
	if m.To > 0 && state.RunningProbe() == nil && state.Schema <= splitter.Schema {
		c.takeStep(ctx, h, v, m.To)
		if len(a.members) > 0 {
			m = c.nextMove(h, v)
		}
	}
	c.tellOfSilence(ctx, h)
	c.tellOfOverdue(ctx, h, m)
	h.split.know(state.Epoch, h.split.docket.account())
}

// stale says why the verdict is too old for a step to be taken on it; empty if it is not.
func (h *hearing) stale() string {
	behind, since := h.second-h.split.docket.next+1, h.judge.Unjudged()
	switch {
	case behind > maxBehind: // also where seconds are folded again
		return fmt.Sprintf("the last %d s are not judged yet", behind)
	case since > maxUnjudged:
		return fmt.Sprintf("requests of %s over %s are not judged yet, as %s has had too few to compare them with",
			h.trial.state.Canary, since, h.trial.state.Stable)
	}
	return ""
}

// nextMove says what the plan does by what was found until now.
func (c *Controller) nextMove(h *hearing, v health.Verdict) Move {
	return Next(*h.trial.plan, h.trial.state, h.split.docket.findings(v), c.now())
}

func (d *docket) findings(v health.Verdict) Findings {
	a := &d.advance
	return Findings{Tally: a.tally.Tally, Verdict: v, Members: a.members, Stale: a.stale, Closed: a.shut}
}

// waitsOnlyFor reports whether nothing is waited for but this, if anything is.
func waitsOnlyFor(m Move, what WaitFor) bool {
	return !slices.ContainsFunc(m.Waits, func(w Wait) bool { return w.For != what })
}

// countUsers asks now and then how many users the canary had in the fleet, as long as the plan waits for more.
func (c *Controller) countUsers(ctx context.Context, h *hearing) {
	a := &h.split.docket.advance
	t := a.tally
	if t.Users >= uint64(h.trial.plan.MinUsers) || t.Requests == 0 || time.Since(a.usersAt) < usersEvery {
		return
	}
	a.usersAt = time.Now()
	seen := c.gather(ctx, h.split, time.Now())
	a.tally.see(seen.evidence[h.trial.state.Canary].Users.TrialSeen.Count())
}

// lags says of the members in a roll call why no step can be taken; with a version, also who decides by another.
func (c *Controller) lags(h *hearing, roll store.Pulse, version *splitter.Version) []string {
	if len(roll.Members) == 0 {
		return []string{"the fleet's members are not known yet"}
	}
	a := &h.split.docket.advance
	a.present.keep(roll.Members)
	return a.present.lags(roll, h.trial.state, version)
}

// takeStep takes a step if every member has the State that it is made from, and nobody changes that meanwhile.
func (c *Controller) takeStep(ctx context.Context, h *hearing, v health.Verdict, to int) {
	d := &h.split.docket
	from := h.split.storedState()
	limited, cancel := context.WithTimeout(ctx, evidenceTimeout)
	roll, err := c.roll(limited)
	cancel()
	if err == nil {
		d.advance.members = c.lags(h, roll, &from.Version)
		if len(d.advance.members) > 0 {
			return
		}
		by := By{Actor: selfActor, Via: "judge", Reason: h.stepText(to, v)}
		err = c.untilSwapped(ctx, h.split, func(prev *splitter.State) (Changed, bool, error) {
			if prev.Version != from.Version || prev.Epoch != h.trial.state.Epoch {
				return Changed{}, false, nil
			}
			return TakeStep(prev, c.settled(ctx, h.split, prev), to, d.findings(v), by, c.seed())
		})
	}
	if ctx.Err() == nil {
		d.stepping.note(h.split.log, "the next step cannot be taken", err)
	}
}

// stepText says what a step rests on.
func (h *hearing) stepText(to int, v health.Verdict) string {
	t, plan := h.split.docket.advance.tally, h.trial.plan
	return fmt.Sprintf("step %d (%s) was judged for %s by %d requests of %s and passes; %s: %s", to-1, plan.weightText(to-1),
		seconds(t.Baked), t.Requests, h.trial.state.Canary, v.Over(), v.Reason)
}

// tellOfGates records which gates are all that a step waits for, each once.
func (c *Controller) tellOfGates(ctx context.Context, h *hearing, m Move, shut []closed) {
	state := h.trial.state
	for _, w := range m.Waits {
		if w.For == WaitApproval {
			c.record(ctx, h.split, recorded(state, KindWaiting, "approval", w.Text, c.seed()))
		}
	}
	for _, s := range shut {
		if s.isAnswered {
			c.record(ctx, h.split, recorded(state, KindWaiting, "webhook "+s.name, s.text, c.seed()))
		}
	}
}

// tellOfSilence records that the canary of a plan has had no request for so long, once in a step.
func (c *Controller) tellOfSilence(ctx context.Context, h *hearing) {
	state, t := h.trial.state, h.split.docket.advance.tally
	last := stepBegan(state.Progress)
	if t.RequestAt > last.Unix() {
		last = time.Unix(t.RequestAt, 0)
	}
	if c.now().Sub(last) < time.Duration(h.trial.plan.NoTraffic) || state.KillOf(state.Canary) != nil {
		return
	}
	c.record(ctx, h.split, recorded(state, KindNoTraffic, "", fmt.Sprintf("no request of %s since %s: the rollout holds at %s",
		state.Canary, clockTime(last), h.trial.plan.weightText(state.Progress.Step)), c.seed()))
}

// pausePlan pauses a plan whose canary fails and is not to be failed back. That it fails while somebody has paused it is
// recorded, once in a step.
func (c *Controller) pausePlan(ctx context.Context, s *Split, v verdict) error {
	if state := s.storedState(); state != nil && state.Epoch == v.epoch && state.Progress.Paused != nil {
		if !state.Progress.Paused.Failed {
			ev, err := failsPaused(state, v.Verdict, c.seed())
			if err != nil {
				return err
			}
			c.record(ctx, s, ev)
		}
		return nil
	}
	return c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		if prev.Epoch != v.epoch || judgedSince(prev) != v.since || prev.Progress.Paused != nil {
			return Changed{}, false, nil
		}
		return PausePlan(prev, v.Verdict, By{Actor: selfActor, Via: "judge"}, c.seed())
	})
}
