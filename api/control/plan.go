package control

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// These are package rollout's, for callers that know the API and not that package.
type (
	// Plan is how a rollout goes on by itself.
	Plan = rollout.Plan
	// PlanStep is one step of a plan.
	PlanStep = rollout.Step
	// Gate is what must open before a step.
	Gate = rollout.Gate
	// WaitFor names what a plan can wait for.
	WaitFor = rollout.WaitFor
	// Exposure says how many of the users a canary has on that fails.
	Exposure = rollout.Exposure
)

// What becomes of a canary that fails, and some of what a plan waits for.
const (
	OnFailFailback = rollout.OnFailFailback
	OnFailPause    = rollout.OnFailPause

	WaitResume   = rollout.WaitResume
	WaitHealth   = rollout.WaitHealth
	WaitTraffic  = rollout.WaitTraffic
	WaitMembers  = rollout.WaitMembers
	WaitWebhook  = rollout.WaitWebhook
	WaitApproval = rollout.WaitApproval
	WaitRevival  = rollout.WaitRevival
)

// PlanDraft is a plan as callers write it in JSON: what is absent has its default, as [rollout.Plan] has them.
type PlanDraft struct{ rollout.Plan }

// UnmarshalJSON reads a plan strictly, and completes it. Its window may be written as the Caddyfile has it, too.
func (p *PlanDraft) UnmarshalJSON(data []byte) error {
	plan := rollout.DefaultPlan()
	steps := plan.Steps
	plan.Steps = nil // encoding/json would keep the bake times of steps that it overwrites
	written := writtenPlan{Plan: &plan}
	if err := strictly(data, &written); err != nil {
		return err
	}
	plan.Window = (*rollout.Window)(written.Window)
	if plan.Steps == nil {
		plan.Steps = steps
	}
	p.Plan = plan.Complete()
	return nil
}

// writtenPlan is a plan as callers write it.
type writtenPlan struct {
	*rollout.Plan
	Window *writtenWindow `json:"window"`
}

// writtenWindow is a window as text, "mon-fri 09:00-17:00 Europe/Berlin", or as the State has it.
type writtenWindow rollout.Window

// UnmarshalJSON reads either.
func (w *writtenWindow) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return strictly(data, (*rollout.Window)(w))
	}
	parsed, err := rollout.ParseWindow(text)
	if err != nil {
		return &fault{"", err.Error()}
	}
	*w = writtenWindow(*parsed)
	return nil
}

// ParsePlan reads a plan that is written as JSON, and checks it. What is absent has its default.
func ParsePlan(document []byte) (Plan, error) {
	var draft PlanDraft
	if err := unmarshal(document, &draft); err != nil {
		return Plan{}, err
	}
	return draft.Plan, draft.Validate()
}

// PlanStatus is the plan that a rollout goes by, and where the rollout is in it.
type PlanStatus struct {
	// Plan was frozen when the rollout began.
	rollout.Plan
	// Step is the step reached, from 1; the last one is the watch. Weight is its share, Next that of the one after it, absent
	// if that is the promotion.
	Step   int             `json:"step"`
	Weight splitter.Weight `json:"weight"`
	Next   splitter.Weight `json:"next,omitempty"`
	// Reached is when, by the store's clock.
	Reached time.Time `json:"reached"`
	// Baked is how long the step has lasted with somebody counting, of Bake that it must.
	Baked health.Duration `json:"baked"`
	Bake  health.Duration `json:"bake"`
	// Requests are the judged ones of the canary in this step, in the fleet, and Users those that it has had since the trial
	// began.
	Requests uint64 `json:"requests"`
	Users    uint64 `json:"users"`
	// Waits says what is waited for, the weightiest first.
	Waits []rollout.Wait `json:"waits"`
	// Due is when the step's time is over, if nobody stops counting; in a window, when that opens after it.
	Due time.Time `json:"due,omitzero"`
	// Warnings are sentences about what may keep the plan from going on.
	Warnings []string `json:"warnings"`
	// Paused says who has stopped the plan and why; absent while it goes on.
	Paused *splitter.Pause `json:"paused,omitempty"`
	// Exposed says who has a canary that fails while the plan is paused, until a person takes them from it; absent if none does.
	Exposed *Exposure `json:"exposed,omitempty"`
}

// planOf returns a running plan as the API says it; nil if none runs.
func planOf(p *rollout.PlanStatus, state *splitter.State) *PlanStatus {
	if p == nil {
		return nil
	}
	status := &PlanStatus{
		Plan: p.Plan, Step: p.Step, Weight: p.Weight, Next: p.Next, Reached: p.Reached,
		Baked:    health.Duration(time.Duration(p.Tally.Baked) * time.Second),
		Requests: p.Tally.Requests, Users: p.Tally.Users,
		Waits: append([]rollout.Wait{}, p.Waits...), Due: p.Due, Warnings: append([]string{}, p.Warnings...),
		Exposed: p.Exposed,
	}
	if p.Step >= 1 && p.Step <= p.Plan.Last() {
		status.Bake = health.Duration(p.Plan.Hold(p.Step))
	}
	if state != nil {
		status.Paused = state.Progress.Paused
	}
	return status
}

// FilePlan returns the plan that a rollout goes by which is started without a plan of its own.
func (s Status) FilePlan() Plan { return rollout.PlanOrDefault(s.File.Plan) }

// FileBake returns how long the steps of a plan last that have no time of their own, by the file: as it says for all steps, else
// as long as the first step of its plan.
func (s Status) FileBake() health.Duration { return cmp.Or(s.File.Bake, s.FilePlan().Step(1).Bake) }

// DefaultPlan is the plan of a split whose file says nothing of one.
func DefaultPlan() Plan { return rollout.DefaultPlan() }
