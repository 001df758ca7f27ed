package caddymodule

import (
	"cmp"
	"slices"
	"strings"

	// A fleet must agree on when a window is open, whatever its machines have installed.
	_ "time/tzdata"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

// plan returns what a rollout goes by, defaults filled in; nil if the configuration says nothing of it.
func (r *Rollout) plan() *rollout.Plan {
	if r == nil {
		return nil
	}
	p := rollout.DefaultPlan()
	p.Steps = r.steps(p)
	p.MinRequests, p.MinUsers = valueOr(r.MinRequests, p.MinRequests), valueOr(r.MinUsers, p.MinUsers)
	p.NoTraffic, p.Watch = cmp.Or(r.NoTraffic, p.NoTraffic), cmp.Or(r.Watch, p.Watch)
	p.Gates = r.Gates
	if r.Window != nil {
		w := r.Window.Window
		p.Window = &w
	}
	if r.OnFail == onFailPause {
		p.OnFail = rollout.OnFailPause
	}
	p = p.Complete()
	return &p
}

// bake returns how long steps last that have no time of their own; 0 if the configuration does not say.
func (r *Rollout) bake() health.Duration {
	if r == nil {
		return 0
	}
	return r.Bake
}

// steps returns the steps with the bake times that the configuration has for them.
func (r *Rollout) steps(defaults rollout.Plan) []rollout.Step {
	steps := slices.Clone(r.Steps)
	if len(steps) == 0 {
		for _, s := range defaults.Steps {
			steps = append(steps, rollout.Step{Weight: s.Weight})
		}
	}
	for i := range len(steps) - 1 {
		steps[i].Bake = cmp.Or(steps[i].Bake, r.Bake)
	}
	return steps
}

// validateRollout checks the plan, and that it can come to an end in this split.
func (h *Handler) validateRollout(g stage) error {
	r := h.Rollout
	if r == nil {
		return nil
	}
	if err := within("rollout", r.validate(g)); err != nil {
		return err
	}
	if err := h.definition().Fits(); err != nil {
		return &configError{path: "rollout", err: err}
	}
	return nil
}

func (r *Rollout) validate(g stage) error {
	if r.OnFail != "" && r.OnFail != onFailFailback && r.OnFail != onFailPause {
		return wrong("on_fail", "on_fail %q: it must be failback or pause", r.OnFail)
	}
	plan := *r.plan()
	gates := plan.Gates
	plan.Gates = nil
	if err := firstOf(plan.Validate()); err != nil {
		return &configError{path: r.pathOf(err), err: err}
	}
	for i, gate := range gates {
		path := item("gates", i)
		if err := expandGate(&gate, g); err != nil {
			return within(path+".webhook", err)
		}
		plan.Gates = []rollout.Gate{gate}
		if err := firstOf(plan.Validate()); err != nil {
			return &configError{path: path, err: err}
		}
		if slices.ContainsFunc(gates[:i], func(o rollout.Gate) bool { return sameGate(o, gates[i]) }) {
			return wrong(path, "gate before %s is given twice; it may be given once", beforeText(gate))
		}
	}
	return nil
}

// sameGate reports whether two gates open together.
func sameGate(a, b rollout.Gate) bool { return a.Webhook == b.Webhook && a.Before == b.Before }

func beforeText(g rollout.Gate) string {
	if g.Before == 0 {
		return "every step"
	}
	return g.Before.String()
}

// expandGate replaces the placeholders of a webhook, so that what it will be is checked when it is loaded.
func expandGate(gate *rollout.Gate, g stage) (err error) {
	if g == expanded {
		gate.Webhook, err = newExpander().expand(gate.Webhook)
	}
	return err
}

// pathOf says which part of the configuration an error of the plan is about: it begins with its name.
func (r *Rollout) pathOf(err error) string {
	switch word, _, _ := strings.Cut(err.Error(), " "); {
	case word == "step", word == "bake" && r.Bake == 0:
		return "steps"
	default:
		return word
	}
}

// firstOf returns the first of joined errors.
func firstOf(err error) error {
	for {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) == 0 {
			return err
		}
		err = joined.Unwrap()[0]
	}
}
