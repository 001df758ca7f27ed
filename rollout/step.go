package rollout

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// TakeStep takes the step of a plan that [Next] says is to be taken now: the one after the last is the promotion. It asks
// Next itself, so that no caller can take a step that is not allowed. It returns false, and no change, if Next says
// otherwise or somebody else was first. ErrUnknownVariant is returned if the file does not have the canary.
func TakeStep(prev *splitter.State, def Definition, to int, f Findings, by By, seed Seed) (Changed, bool, error) {
	p, err := runningPlan(prev)
	if err != nil || p == nil || to == 0 || Next(*p, prev, f, seed.Now).To != to {
		return Changed{}, false, err
	}
	if !def.has(prev.Canary) {
		return Changed{}, false, unknownVariant(def, prev.Split, prev.Canary)
	}
	by.Reason = cmp.Or(by.Reason, p.stepText(to)+": "+f.Verdict.Reason)
	if to > p.Last() {
		c, err := promote(prev, def, f, by, seed)
		return c, err == nil, err
	}
	c, err := advanceTo(prev, *p, to, f, by, seed)
	return c, err == nil, err
}

// advanceTo gives the canary the share of a later step.
func advanceTo(prev *splitter.State, p Plan, to int, f Findings, by By, seed Seed) (Changed, error) {
	n := next(prev, KindStep, by, seed)
	if err := raiseCanary(n, prev, prev.RunningTrickle(), frozenPolicy(prev), p.Step(to).Weight, seed.Now); err != nil {
		return Changed{}, err
	}
	n.Progress.Step, n.Progress.Reached = to, seed.Now
	return tellWhy(prev, n, f.grounds())
}

// Grounds are what a change of a plan rests on, as the Evidence of its event has them: the verdict, and among its fields what
// the step had seen, if it was a step forward, and who is exposed, if a paused canary fails.
type Grounds struct {
	health.Verdict

	Tally   *Tally    `json:"tally,omitempty"`
	Exposed *Exposure `json:"exposed,omitempty"`
}

func (f Findings) grounds() Grounds { return Grounds{Verdict: f.Verdict, Tally: &f.Tally} }

// tellWhy ends a change that was made on a verdict.
func tellWhy(prev, n *splitter.State, g Grounds) (Changed, error) {
	c, err := tell(prev, n)
	if err != nil {
		return Changed{}, err
	}
	if c.Event.Evidence, err = g.encode(); err != nil {
		return Changed{}, err
	}
	return c, nil
}

// encode returns an event's Evidence.
func (g Grounds) encode() (json.RawMessage, error) {
	doc, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("encode the verdict: %w", err)
	}
	return doc, nil
}
