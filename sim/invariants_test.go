package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

type event = store.Event

// verify returns what is wrong with any State that the store ever had, or with what was told of it.
func (p *play) verify() (wrong []string) {
	states, log := p.fleet.States(), p.fleet.Log()
	var prev *splitter.State
	for _, s := range states {
		wrong = append(wrong, alone(s)...)
		if prev != nil {
			wrong = append(wrong, after(prev, s)...)
			wrong = append(wrong, rests(prev, eventOf(s, log))...)
		}
		prev = s
	}
	for _, ev := range log {
		p.counts.add("event: "+ev.Kind, 1)
	}
	wrong = append(wrong, twice(states)...)
	return append(wrong, p.unlogged(states)...)
}

// eventOf returns the event that tells of a State.
func eventOf(s *splitter.State, log []event) event {
	return log[slices.IndexFunc(log, func(ev event) bool { return ev.ID == s.ID })]
}

// alone says what is wrong with a State by itself.
func alone(s *splitter.State) (wrong []string) {
	if err := s.Validate(); err != nil {
		wrong = append(wrong, fmt.Sprintf("revision %d is invalid: %v", s.Revision, err))
	}
	var sum splitter.Weight
	for _, w := range s.Weights() {
		sum += w
	}
	if sum != splitter.Full {
		wrong = append(wrong, fmt.Sprintf("revision %d: weights add up to %s", s.Revision, sum))
	}
	if s.Progress.Phase == splitter.PhaseFailedBack && s.Weights()[s.Canary] > 0 {
		wrong = append(wrong, fmt.Sprintf("revision %d: %s is failed back and has %s", s.Revision, s.Canary, s.Weights()[s.Canary]))
	}
	return wrong
}

// after says what is wrong with a State as the one that follows another.
func after(prev, s *splitter.State) (wrong []string) {
	if s.Revision != prev.Revision+1 || s.Parent != prev.ID || s.Epoch < prev.Epoch {
		wrong = append(wrong, fmt.Sprintf("revision %d in epoch %d follows revision %d in epoch %d", s.Revision, s.Epoch, prev.Revision, prev.Epoch))
	}
	for _, k := range prev.Kills {
		isOn := slices.ContainsFunc(s.Kills, func(o splitter.Kill) bool { return o.ID == k.ID })
		isLifted := slices.ContainsFunc(s.Revived, func(r splitter.Revival) bool { return r.ID == k.ID })
		if !isOn && (!isLifted || s.Changed.Kind != rollout.KindRevive) {
			wrong = append(wrong, fmt.Sprintf("revision %d: a kill of %q is gone by %s", s.Revision, k.Variant, s.Changed.Kind))
		}
	}
	return wrong
}

// rests says what is wrong with what a step forward that nobody asked for rested on: prev is the State before it.
func rests(prev *splitter.State, ev event) (wrong []string) {
	isForward := ev.Kind == rollout.KindStep || ev.Kind == rollout.KindPromoted
	if !isForward || ev.Via != "judge" {
		return nil
	}
	accuse := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Sprintf("revision %d: %s ", ev.Revision, ev.Kind)+fmt.Sprintf(format, args...))
		}
	}
	plan, err := rollout.PlanOf(prev)
	if err != nil || plan == nil {
		return append(wrong, fmt.Sprintf("revision %d: %s by no plan: %v", ev.Revision, ev.Kind, err))
	}
	var on rollout.Grounds
	if err := json.Unmarshal(ev.Evidence, &on); err != nil || on.Tally == nil {
		return append(wrong, fmt.Sprintf("revision %d: %s on %s: %v", ev.Revision, ev.Kind, ev.Evidence, err))
	}
	t, step := *on.Tally, prev.Progress.Step
	accuse(on.Result != health.Pass, "on a verdict of %s", on.Result)
	accuse(t.Epoch != prev.Epoch || t.Step != step, "on what step %d of epoch %d saw, in step %d of epoch %d", t.Step, t.Epoch, step, prev.Epoch)
	accuse(t.Requests < uint64(plan.MinRequests), "on %d requests of %d", t.Requests, plan.MinRequests)
	accuse(t.Users < uint64(plan.MinUsers), "on %d users of %d", t.Users, plan.MinUsers)
	accuse(time.Duration(t.Baked)*time.Second < plan.Hold(step), "after %d s of %s", t.Baked, plan.Hold(step))
	accuse(prev.Progress.Paused != nil, "while it is paused")
	accuse(prev.KillOf(prev.Canary) != nil, "while the canary is killed")
	for _, g := range plan.GatesBefore(step + 1) {
		accuse(g.Approval && prev.Progress.Approved <= step, "that nobody approved")
	}
	return wrong
}

// twice says which step of an epoch was taken more than once.
func twice(states []*splitter.State) (wrong []string) {
	type step struct {
		epoch uint64
		n     int
	}
	taken := map[step]uint64{}
	for _, s := range states {
		if s.Changed.Kind != rollout.KindStep {
			continue
		}
		this := step{s.Epoch, s.Progress.Step}
		if before, was := taken[this]; was {
			wrong = append(wrong, fmt.Sprintf("step %d of epoch %d was taken at revision %d and at %d", this.n, this.epoch, before, s.Revision))
		}
		taken[this] = s.Revision
	}
	return wrong
}

// unlogged says which States are not in the store's own log, or more than once.
func (p *play) unlogged(states []*splitter.State) (wrong []string) {
	logged := map[string]int{}
	events, err := p.fleet.Stored(context.Background())
	if err != nil {
		return []string{err.Error()}
	}
	for _, ev := range events {
		logged[ev.ID]++
	}
	for _, s := range states {
		if n := logged[s.ID]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("revision %d (%s) is in the log %d times", s.Revision, s.Changed.Kind, n))
		}
	}
	return wrong
}
