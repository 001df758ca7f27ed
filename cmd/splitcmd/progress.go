package splitcmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// printProgress shows where a rollout is in its plan, and what it waits for.
func (s *session) printProgress(status control.Status) {
	p := status.Plan
	if p == nil {
		s.printPromotion(status)
		return
	}
	s.sayIn("rollout", stepCells(*p)...)
	label := "bake"
	if p.Step == p.Last() {
		label = "watch"
	}
	s.sayIn(label, bakeCells(*p, s.look)...)
	s.sayIn("evidence", evidenceOf(uint64(p.MinRequests), p.Requests, "request"), evidenceOf(uint64(p.MinUsers), p.Users, "user"))
	if p.Paused != nil {
		s.say("paused", fmt.Sprintf("by %s at %s: %s", orDash(p.Paused.Actor), s.look.time(p.Paused.At), orDash(p.Paused.Reason)), bad)
	}
	for _, w := range p.Waits {
		if w.For != control.WaitResume { // which stands above
			s.say("waits", once(w.Text), waitColour(w.For))
		}
	}
	if p.Paused == nil {
		s.say("next", nextOf(*p, s.look), plain)
	}
	for _, warning := range p.Warnings {
		s.say("warning", warning, doubt)
	}
}

// pauseCell says that a rollout is paused, as a heading: who paused it, or that its canary fails, and who has it yet.
func pauseCell(status control.Status) cell {
	p := status.Plan
	switch {
	case p == nil || p.Paused == nil:
		return cell{}
	case p.Exposed != nil:
		return cell{fmt.Sprintf("PAUSED: %s %s and still has %s of the users", p.Exposed.Canary, failing(*p), p.Exposed.Share), bad}
	case p.Paused.Actor == "":
		return cell{"paused", doubt}
	}
	return cell{"paused by " + p.Paused.Actor, doubt}
}

// phaseCell is phase with a pause, in the colour of the worse.
func phaseCell(status control.Status) cell {
	c := phase(status.Progress)
	if pause := pauseCell(status); pause.text != "" {
		c.text, c.colour = c.text+", paused", pause.colour
	}
	return c
}

// failing says of the canary of a paused plan that it fails, or has, if the verdict is another one by now.
func failing(p control.PlanStatus) string {
	for _, w := range p.Waits {
		if w.For == control.WaitHealth {
			return "fails"
		}
	}
	return "failed"
}

// printPromotion says which promotion a rollback would take back.
func (s *session) printPromotion(status control.Status) {
	if status.Progress.Ended != splitter.EndPromoted || len(status.Promotions) == 0 {
		return
	}
	p := status.Promotions[0]
	s.say("promoted", fmt.Sprintf("%s at %s, in place of %s", versioned(p.Variant, p.Version), s.look.time(p.At),
		versioned(p.Before, p.BeforeVersion)), good)
}

// versioned names a variant with the version that it declared.
func versioned(variant, version string) string {
	if version == "" {
		return variant
	}
	return variant + " (" + version + ")"
}

// stepCells draws the steps of a plan: those behind, the present one, those to come.
func stepCells(p control.PlanStatus) []cell {
	var cells []cell
	for i, step := range p.Steps {
		mark, c := "✓", good
		switch n := i + 1; {
		case n == p.Step:
			mark, c = "●", strong
		case n > p.Step:
			mark, c = "·", subdued
		}
		cells = append(cells, cell{step.Weight.String() + " " + mark, c})
	}
	return cells
}

// bakeCells draws how much of its time a step has had.
func bakeCells(p control.PlanStatus, l look) []cell {
	share, c := 1.0, good
	if p.Baked < p.Bake {
		share, c = float64(p.Baked)/float64(p.Bake), doubt
	}
	return []cell{{bar(share), c}, {fmt.Sprintf("%s of %s at %s, since %s", p.Baked, p.Bake, p.Weight, l.time(p.Reached)), plain}}
}

// evidenceOf says how much there is of what a step needs.
func evidenceOf(least, n uint64, noun string) cell {
	switch {
	case least == 0:
		return cell{plural(int(n), noun), plain}
	case n < least:
		return cell{fmt.Sprintf("%d of %s", n, plural(int(least), noun)), doubt}
	}
	return cell{fmt.Sprintf("%d of %s", n, plural(int(least), noun)), good}
}

// waitColour makes what somebody has to do something about stand out.
func waitColour(w control.WaitFor) colour {
	switch w {
	case control.WaitHealth, control.WaitRevival:
		return bad
	case control.WaitApproval, control.WaitTraffic, control.WaitMembers, control.WaitWebhook:
		return doubt
	}
	return plain
}

// nextOf says what comes next, and when at the earliest.
func nextOf(p control.PlanStatus, l look) string {
	what := "the promotion"
	if p.Next > 0 {
		what = p.Next.String()
	}
	if p.Due.IsZero() {
		return what
	}
	return what + " at " + l.time(p.Due) + " at the earliest"
}

// showPlan shows the plan of a rollout that has begun.
func (s *session) showPlan(ctx context.Context, split string) {
	status, err := s.client.WithTap(nil).Status(ctx, split)
	switch {
	case err != nil:
		s.say("note", "the plan cannot be shown: "+err.Error(), doubt)
	case status.Plan != nil:
		s.say("plan", planInWords(status.Plan.Plan), plain)
		for _, warning := range status.Plan.Warnings {
			s.say("warning", warning, doubt)
		}
	}
}

// planInWords says a plan in a few lines' worth of words.
func planInWords(p control.Plan) string {
	var steps, says []string
	for i, step := range p.Steps[:p.Last()-1] {
		steps = append(steps, fmt.Sprintf("%s for %s", step.Weight, health.Duration(p.Hold(i+1))))
	}
	steps = append(steps, fmt.Sprintf("%s, watched for %s", p.Step(p.Last()).Weight, p.Watch))
	says = append(says, strings.Join(steps, " → "))
	if p.MinRequests > 0 || p.MinUsers > 0 {
		says = append(says, fmt.Sprintf("at least %s a step and %s", plural(p.MinRequests, "request"), plural(p.MinUsers, "user")))
	}
	for _, g := range p.Gates {
		if g.Approval || g.Webhook != "" { // the verdict's is always there
			says = append(says, gateInWords(g))
		}
	}
	if p.Window != nil {
		says = append(says, "steps in "+p.Window.String())
	}
	if p.OnFail == control.OnFailPause {
		says = append(says, "paused if it fails")
	}
	return strings.Join(append(says, "promoted after "+inDays(p.Duration())+" at the earliest"), "; ")
}

func gateInWords(g control.Gate) string {
	text := "a webhook"
	if g.Approval {
		text = "an approval"
	}
	if g.Before == 0 {
		return text + " before each step"
	}
	return text + " before " + g.Before.String()
}

// inDays writes a long duration as people do: 7d, 1d12h, 90m.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if d < day {
		return health.Duration(d).String()
	}
	text := fmt.Sprintf("%dd", d/day)
	if rest := d % day; rest > 0 {
		text += health.Duration(rest).String()
	}
	return text
}
