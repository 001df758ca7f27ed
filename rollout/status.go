package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Status returns all that is known of a split, with what the whole fleet has seen of its variants lately.
func (c *Controller) Status(ctx context.Context, split string) (Status, error) {
	s, err := c.find(split)
	if err != nil {
		return Status{}, err
	}
	return c.status(s, c.gather(ctx, s, time.Now())), nil
}

// StatusHere is Status with what this instance alone has seen of its variants; it asks nobody.
func (c *Controller) StatusHere(split string) (Status, error) {
	s, err := c.find(split)
	if err != nil {
		return Status{}, err
	}
	evidence, _, _ := s.evidence(time.Now())
	return c.status(s, shown{evidence, 1, s.LateFrames()}), nil
}

func (c *Controller) status(s *Split, seen shown) Status {
	st := Status{
		Now:        c.now(),
		Ready:      s.ready(time.Since(c.started) > c.opts.BootWait),
		StoreAge:   c.StoreAge(),
		StoreError: c.storeError(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.State, st.Local, st.Notes = s.effective, s.definition(), append(c.twinNotes(), s.notes()...)
	st.Verdict, st.JudgedInstances, st.ShownInstances = s.judgement.Verdict, max(s.judgement.Instances, 1), seen.instances
	st.Alone = s.judgement.alone
	st.Missing, st.Late, st.Plan = s.judgement.Missing, seen.late, s.planStatus(st.Now, seen.evidence, st.StoreError)
	st.Shares, st.ShareWarning = shareStatus(s.effective, st.tally(), seen.evidence, st.Now)
	st.Drift = s.driftTexts()
	if s.effective != nil {
		st.Mixed = c.othersMixed(s.effective)
		st.Notes = append(st.Notes, st.Mixed...)
	}
	if s.effective != nil {
		st.DrilledAt = s.effective.Drilled.At
	}
	inFlight, others := s.inFlight(), c.othersActive(s.name)
	here := s.Conversations.Counts()
	for _, name := range s.variants() {
		v := s.variantStatus(name, seen.evidence[name], inFlight[name])
		v.FleetInFlight, v.Conversations = v.InFlight+others.InFlight[name], here[name]+others.Conversations[name]
		st.Variants = append(st.Variants, v)
	}
	return st
}

// variants lists the file's variants, then the State's others. Caller must hold s.mu.
func (s *Split) variants() []string {
	names := s.definition().names()
	if s.effective == nil {
		return names
	}
	others := s.effective.Weights()
	others[s.effective.Stable] += 0
	if s.effective.Canary != "" {
		others[s.effective.Canary] += 0
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// variantStatus describes one variant. Caller must hold s.mu.
func (s *Split) variantStatus(name string, e health.Evidence, inFlight int) VariantStatus {
	def := s.definition()
	v := VariantStatus{Name: name, Known: def.has(name), FileSays: def.weights()[name], InFlight: inFlight,
		Summary: health.Summarize(e)}
	stable, canary := def.Stable, def.Canary
	if st := s.effective; st != nil {
		stable, canary = st.Stable, st.Canary
		v.Weight = st.Weights()[name]
		v.Killed = st.KillOf(name) != nil
	} else {
		blind := splitter.State{Kills: s.queue}
		v.Killed = blind.KillOf(name) != nil
		if name == stable {
			v.Weight = splitter.Full
		}
	}
	switch name {
	case stable:
		v.Role = "stable"
	case canary:
		v.Role = "canary"
	}
	return v
}

// notes says in sentences what differs between file, State and what this instance does. Caller must hold s.mu.
func (s *Split) notes() []string {
	def, state := s.definition(), s.effective
	notes := s.pendingNotes()
	if state == nil {
		return append(notes, fmt.Sprintf("no state is known yet: %q (stable by this file) serves everyone who is not killed",
			def.Stable))
	}
	if !def.has(state.Stable) {
		notes = append(notes, fmt.Sprintf("the state's stable variant %q is not in this file: %q serves everyone here; "+
			"`split rename` or `split adopt` settles it", state.Stable, def.Stable))
	}
	switch {
	case def.Stable == state.Stable && def.Canary == state.Canary:
	case def.Stable == state.Canary && def.Canary == state.Stable:
		notes = append(notes, fmt.Sprintf("the file says stable %q and canary %q, the state the other way round: the state counts; "+
			"write `stable %s` and `canary %s` into the file, and reload", def.Stable, def.Canary, state.Stable, state.Canary))
	default:
		notes = append(notes, fmt.Sprintf("the file says stable %q and %s, the state %q and %s: the state counts; "+
			"`split adopt` takes the file's",
			def.Stable, canaryOf(def.Canary), state.Stable, canaryOf(state.Canary)))
	}
	for _, v := range def.Variants {
		if isOutdated(state, def, v.Name) {
			notes = append(notes, fmt.Sprintf("this file declares version %q of %s, which the state has left for %q: it is outdated, "+
				"unless no other proxy declares that any more", v.Version, v.Name, state.Declared[v.Name]))
		}
	}
	notes = append(notes, baselineNotes(state, s.policy)...)
	notes = append(notes, weightNotes(def, s.stored)...)
	if state.Progress.Phase == splitter.PhaseTrial {
		notes = append(notes, frozenNotes(def, state, s.policy)...)
	}
	if state.Schema > splitter.Schema {
		notes = append(notes, fmt.Sprintf("the state was written by a newer release (schema %d, this one knows %d): it is "+
			"obeyed as far as understood, and not changed from here", state.Schema, splitter.Schema))
	}
	if _, err := policyOf(state); err != nil {
		notes = append(notes, fmt.Sprintf("nothing is judged by this instance: %v", err))
	}
	return notes
}

// canaryOf names a canary that may not be there.
func canaryOf(name string) string {
	if name == "" {
		return "no canary"
	}
	return fmt.Sprintf("canary %q", name)
}

// pendingNotes tells what holds here and is not in the store. Caller must hold s.mu.
func (s *Split) pendingNotes() []string {
	var notes []string
	switch n := len(s.queue); {
	case n == 1:
		notes = append(notes, "1 kill holds here and is not in the store yet")
	case n > 1:
		notes = append(notes, fmt.Sprintf("%d kills hold here and are not in the store yet", n))
	}
	if s.stored != nil && !s.absentSince.IsZero() {
		notes = append(notes, "the store came back without the state of this split: a proxy that knows it writes it back within seconds")
	}
	switch {
	case len(s.lost) == 0:
	case s.stored.Schema > splitter.Schema:
		notes = append(notes, "the store has lost a state that it had: it holds here, and only a newer release can write it again")
	default:
		notes = append(notes, "the store has lost a state that it had: it holds here, and is written again")
	}
	if s.overlay != nil {
		notes = append(notes, "failed back on this instance only; the store does not know yet")
	}
	if s.stale {
		notes = append(notes, "the store has been away for too long: stable has a small canary's share (on_stale stable)")
	}
	return notes
}

// weightNotes tells where the file's weights differ from the State's. That of a canary which was failed back is meant to,
// and so is that of one which leaves stable a trickle or lends it something, or which a plan moves or has moved.
func weightNotes(def Definition, state *splitter.State) []string {
	var notes []string
	now, isOther := state.Weights(), def.Stable != state.Stable // whose weights are for other roles
	for _, v := range def.Variants {
		isMeant := isOther || v.Name == state.Canary && (state.Progress.Phase == splitter.PhaseFailedBack || leavesStable(state, v.Weight) ||
			planRuns(state) || state.Progress.Ended != "")
		if v.Weight != now[v.Name] && v.Name != state.Stable && !isMeant {
			notes = append(notes, fmt.Sprintf("the file says %s %s, the store %s: the store counts; `split weight %s --from-file` "+
				"takes the file's", v.Name, v.Weight, now[v.Name], def.Name))
		}
	}
	for name := range now {
		if !def.has(name) && name != state.Stable {
			notes = append(notes, fmt.Sprintf("the state gives %s to %q, which is not in this file: stable serves it here",
				now[name], name))
		}
	}
	slices.Sort(notes)
	return notes
}

// leavesStable reports whether the canary would have a weight but for what stable keeps or was lent.
func leavesStable(state *splitter.State, weight splitter.Weight) bool {
	now := state.Weights()
	return (state.IsTrickling() || state.RunningProbe() != nil) &&
		weight > now[state.Canary] && weight <= now[state.Canary]+now[state.Stable]
}
