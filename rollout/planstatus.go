package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// PlanStatus is how far a rollout by a plan is. Every instance says the same of it, up to a few seconds.
type PlanStatus struct {
	// Plan is the one that the rollout goes by, frozen as it began.
	Plan Plan
	// Step is the present step, from 1, Weight what it gives the canary, Next what the next one does; zero at the last.
	Step         int
	Weight, Next splitter.Weight
	// Reached is when the step was reached, by the store's clock.
	Reached time.Time
	// Tally is what the step has seen so far.
	Tally Tally
	// Waits lists what is waited for, the weightiest first; empty if the next step is taken now.
	Waits []Wait
	// Due is when the next step can be taken at the earliest, as far as it hangs on time.
	Due time.Time
	// Exposed says who has a canary that fails while the rollout is paused; nil if none does.
	Exposed *Exposure
	// Warnings are sentences about what keeps the plan from going on as it was meant to.
	Warnings []string
}

// known is what this instance knows of what the plan of an epoch moves on.
type known struct {
	account
	epoch uint64
}

// know keeps what is known of a plan, unless another trial has begun.
func (s *Split) know(epoch uint64, k *account) {
	if k == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effective != nil && s.effective.Epoch == epoch {
		s.known = known{*k, epoch}
	}
}

// planStatus says how far a rollout is; nil if none goes by a plan. seen is what instances show, storeError what the store last
// said, if it is away. Caller must hold s.mu.
func (s *Split) planStatus(now time.Time, seen map[string]health.Evidence, storeError string) *PlanStatus {
	state, plan := s.effective, s.plan
	if plan == nil {
		return nil
	}
	f := s.findings()
	f.Tally = f.Tally.of(state)
	f.Tally.Users = max(f.Tally.Users, seen[state.Canary].Users.TrialSeen.Count())
	m := Next(*plan, state, f, now)
	p := &PlanStatus{Plan: *plan, Step: state.Progress.Step, Weight: plan.Step(state.Progress.Step).Weight,
		Reached: state.Progress.Reached, Tally: f.Tally, Waits: m.Waits, Due: m.Due}
	if p.Step < plan.Last() {
		p.Next = plan.Step(p.Step + 1).Weight
	}
	if paused := state.Progress.Paused; paused != nil && (paused.Failed || p.fails()) {
		p.Exposed = exposure(state)
	}
	p.Warnings = s.planWarnings(p, storeError)
	return p
}

// planWarnings says what keeps a plan from going on. Caller must hold s.mu.
func (s *Split) planWarnings(p *PlanStatus, storeError string) (list []string) {
	state := s.effective
	if storeError != "" {
		list = append(list, "the store is away: no step is taken until it is back")
	}
	if held := s.known.Held; held != "" && s.known.epoch == state.Epoch {
		list = append(list, "no failback: "+held)
	}
	for _, text := range []string{hopelessNote(state, s.policy), p.scarcity(state.Canary)} {
		if text != "" {
			list = append(list, text)
		}
	}
	return list
}

// hopelessNote says why a rollout that is under way cannot pass, or cannot fail; empty if it can, and without a rollout.
func hopelessNote(state *splitter.State, p Policy) string {
	if state == nil || !planRuns(state) {
		return ""
	}
	if slices.Contains(state.Retired, state.Stable) {
		return fmt.Sprintf("%s is retired, and nothing passes without it: `split promote --full` ends the watch, "+
			"`split retire --undo` lets it be compared again", state.Stable)
	}
	if err := (Definition{Name: state.Split, Stable: state.Stable, Canary: state.Canary, Policy: p}).Fits(); err != nil {
		return err.Error() + ": `split promote --full` ends the rollout by hand"
	}
	return ""
}

// knownRate is how many seconds must have been counted for a rate of requests to say something.
const knownRate = 60

// scarcity warns of a step that does not see as many requests within its time as it must; empty if it does.
func (p *PlanStatus) scarcity(canary string) string {
	t, least, hold := p.Tally, float64(p.Plan.MinRequests), p.Plan.Hold(p.Step)
	if t.Baked < knownRate || t.Requests == 0 || float64(t.Requests) >= least {
		return ""
	}
	rate := float64(t.Requests) / float64(t.Baked)
	if rate*hold.Seconds() >= least {
		return ""
	}
	takes := time.Duration(least / rate * float64(time.Second)).Round(time.Minute)
	return fmt.Sprintf("min_requests %d is more than %s sees at %s in %s: at the present rate it takes %s", p.Plan.MinRequests,
		canary, p.Weight, health.Duration(hold), health.Duration(takes))
}
