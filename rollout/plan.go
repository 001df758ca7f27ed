package rollout

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Plan is how a rollout goes on by itself. It is frozen into the State when the rollout begins.
type Plan struct {
	// Steps are the canary's shares, in order: strictly rising, the last 100 %. Default: 1, 5, 10, 25, 50 and 100 %.
	Steps []Step `json:"steps"`
	// MinRequests is how many judged requests of the canary each step must have seen in the fleet before the next, MinUsers
	// how many users the canary must have had since the trial began. 0 asks for none. Defaults: 500 and 50.
	MinRequests int `json:"min_requests"`
	MinUsers    int `json:"min_users"`
	// Gates must open before a step is left. That the verdict is pass is always one of them.
	Gates []Gate `json:"gates,omitempty"`
	// Window is when steps forward are taken; nil: at any time.
	Window *Window `json:"window,omitempty"`
	// NoTraffic is after how long without a request of the canary people are told. It holds the step from the first
	// second, and is never failure. Default 1 h.
	NoTraffic health.Duration `json:"no_traffic"`
	// Watch is for how long a canary that has everything is judged before it becomes stable. Default 48 h.
	Watch health.Duration `json:"watch"`
	// OnFail says what becomes of a canary that fails.
	OnFail OnFail `json:"on_fail,omitempty"`
}

// Step is one step of a plan.
type Step struct {
	Weight splitter.Weight `json:"weight"`
	// Bake is how long the canary is held at this weight at least, with somebody counting. The last step's is the plan's
	// Watch, and zero here. Default 24 h.
	Bake health.Duration `json:"bake,omitempty"`
}

// Gate is what must open before the canary is given Before. Exactly one kind is set.
type Gate struct {
	// Webhook is asked by a POST with a [GateQuestion]; a status of 2xx opens it. Asked again every 30 s. It is a URL as the
	// configuration has it: placeholders such as {env.GATE_URL} are filled in by whoever asks, so that the State holds no
	// secret.
	Webhook string `json:"webhook,omitempty"`
	// Timeout bounds one question to a webhook. Default 10 s.
	Timeout health.Duration `json:"timeout,omitempty"`
	// Approval is opened by a person.
	Approval bool `json:"approval,omitempty"`
	// Before is the step that the gate stands before; 0: before every step but the first. A gate before 100 % stands before
	// the step of 100 %, not before the promotion.
	Before splitter.Weight `json:"before,omitempty"`
}

// Window is the hours in which steps forward are taken.
type Window struct {
	// Days lists the weekdays, 0 is Sunday; empty: every day.
	Days []time.Weekday `json:"days,omitempty"`
	// From and To are minutes since midnight. To may be before From: the window then ends on the next day.
	From int `json:"from"`
	To   int `json:"to"`
	// Zone is an IANA time zone. Default UTC.
	Zone string `json:"zone,omitempty"`
}

// OnFail says what becomes of a canary that fails. The zero value is OnFailFailback.
type OnFail string

// What becomes of a canary that fails.
const (
	OnFailFailback OnFail = ""      // its share goes back to stable
	OnFailPause    OnFail = "pause" // its share stays, the plan is paused and people are told
)

// DefaultPlan is the plan of a split whose configuration says nothing of one.
func DefaultPlan() Plan {
	const percent = splitter.Full / 100
	p := Plan{MinRequests: 500, MinUsers: 50, NoTraffic: health.Duration(time.Hour), Watch: health.Duration(48 * time.Hour)}
	for _, w := range []splitter.Weight{1, 5, 10, 25, 50} {
		p.Steps = append(p.Steps, Step{w * percent, health.Duration(24 * time.Hour)})
	}
	p.Steps = append(p.Steps, Step{Weight: splitter.Full})
	return p
}

// PlanOrDefault returns the plan that a file has, or the default one if it has none, for the caller to change.
func PlanOrDefault(p *Plan) Plan {
	if p == nil {
		return DefaultPlan()
	}
	plan := *p
	plan.Steps = slices.Clone(plan.Steps)
	return plan
}

// Complete returns p with the default times of steps and webhooks that have none of their own.
func (p Plan) Complete() Plan {
	standard := DefaultPlan().Step(1).Bake
	p.Steps, p.Gates = slices.Clone(p.Steps), slices.Clone(p.Gates)
	for i := range max(len(p.Steps)-1, 0) {
		p.Steps[i].Bake = cmp.Or(p.Steps[i].Bake, standard)
	}
	for i, g := range p.Gates {
		if g.Webhook != "" {
			p.Gates[i].Timeout = cmp.Or(g.Timeout, DefaultGateTimeout)
		}
	}
	return p
}

// UnmarshalText reads "failback" or "pause".
func (o *OnFail) UnmarshalText(text []byte) error {
	switch word := OnFail(text); word {
	case "failback", OnFailFailback:
		*o = OnFailFailback
	case OnFailPause:
		*o = word
	default:
		return errOnFail(word)
	}
	return nil
}

// errOnFail says what can become of a canary that fails.
func errOnFail(o OnFail) error { return fmt.Errorf("on_fail %q: must be failback or pause", string(o)) }

// Last is the number of the last step, that of 100 %.
func (p Plan) Last() int { return len(p.Steps) }

// Step returns a step by its number, from 1.
func (p Plan) Step(n int) Step { return p.Steps[n-1] }

// Hold is how long a step lasts at least: its bake time, of the last one the watch.
func (p Plan) Hold(n int) time.Duration {
	if n == p.Last() {
		return time.Duration(p.Watch)
	}
	return time.Duration(p.Step(n).Bake)
}

// Duration is how long the plan takes if nothing holds it.
func (p Plan) Duration() (sum time.Duration) {
	for n := range p.Steps {
		sum += p.Hold(n + 1)
	}
	return sum
}

// GatesBefore returns the gates that stand before a step. None stands before the first.
func (p Plan) GatesBefore(n int) (gates []Gate) {
	if n <= 1 || n > p.Last() {
		return nil
	}
	for _, g := range p.Gates {
		if g.Before == 0 || g.Before == p.Step(n).Weight {
			gates = append(gates, g)
		}
	}
	return gates
}

// encodePlan freezes a plan for a State.
func encodePlan(p Plan) (json.RawMessage, error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return doc, nil
}

// PlanOf reads the plan that a State froze; nil if its trial goes by none.
func PlanOf(s *splitter.State) (*Plan, error) {
	if s == nil || len(s.Plan) == 0 {
		return nil, nil
	}
	var p Plan
	if err := json.Unmarshal(s.Plan, &p); err != nil {
		return nil, fmt.Errorf("the plan frozen in revision %d of %q: %w", s.Revision, s.Split, err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("the plan frozen in revision %d of %q: %w", s.Revision, s.Split, err)
	}
	return &p, nil
}

// Validate returns one error that names everything that is wrong with a plan, each with the value and the rule.
func (p Plan) Validate() error {
	var errs []error
	wrong := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(len(p.Steps) > 0 && p.Steps[len(p.Steps)-1].Weight == splitter.Full, "steps %s: the last must be 100%%", p.stepsText())
	for i, s := range p.Steps {
		wrong(s.Weight > 0 && s.Weight <= splitter.Full, "step %s: must be above 0%% and at most 100%%", s.Weight)
		wrong(i == 0 || s.Weight > p.Steps[i-1].Weight, "steps %s: each must be greater than the one before", p.stepsText())
		isLast := i == len(p.Steps)-1
		wrong(isLast || between(s.Bake, time.Second, maxHold), "bake %s of step %s: must be from 1s to 720h", s.Bake, s.Weight)
		wrong(!isLast || s.Bake == 0, "bake %s of step 100%%: how long the last step lasts is `watch`", s.Bake)
	}
	wrong(between(p.Watch, time.Second, maxHold), "watch %s: must be from 1s to 720h", p.Watch)
	wrong(between(p.NoTraffic, time.Minute, maxHold), "no_traffic hold %s: must be from 1m to 720h", p.NoTraffic)
	wrong(p.MinRequests >= 0 && p.MinRequests <= MaxMinimum, "min_requests %d: must be from 0 to %d", p.MinRequests, MaxMinimum)
	wrong(p.MinUsers >= 0 && p.MinUsers <= MaxMinimum, "min_users %d: must be from 0 to %d", p.MinUsers, MaxMinimum)
	wrong(p.OnFail == OnFailFailback || p.OnFail == OnFailPause, "%w", errOnFail(p.OnFail))
	for _, g := range p.Gates {
		errs = append(errs, g.validate(p))
	}
	return errors.Join(append(errs, p.Window.validate())...)
}

const (
	// maxHold bounds how long a step may last: 30 days.
	maxHold = 30 * 24 * time.Hour
	// MaxMinimum bounds minimum evidence.
	MaxMinimum = 1_000_000_000
)

func between(d health.Duration, least, most time.Duration) bool {
	return time.Duration(d) >= least && time.Duration(d) <= most
}

func (p Plan) stepsText() string {
	texts := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		texts[i] = s.Weight.String()
	}
	return strings.Join(texts, " ")
}
