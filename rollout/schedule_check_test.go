//go:build unix

package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
)

// agreeWithin is how long a fleet without faults has to agree on one State: hundreds of its heartbeats.
const agreeWithin = 10 * time.Second

// recovers heals all, raises who is down, and returns the State that all instances and the store have come to agree on.
func (w *world) recovers() (*splitter.State, error) {
	w.tells("all", "is healed")
	for _, n := range w.nodes {
		n.wire.falls(illness{})
		n.wire.leadTo(w.keys.addr())
	}
	if err := w.raise(); err != nil {
		return nil, err
	}
	w.asked.Wait()
	return w.agreement()
}

// agreement waits until all instances decide by what the store has, and nothing waits to be brought together with it.
func (w *world) agreement() (*splitter.State, error) {
	s, err := redis.Open(redis.Config{URL: "redis://" + w.keys.addr(), Fleet: w.keys.fleet}, nil)
	if err != nil {
		return nil, err
	}
	state, err := w.agreementIn(s)
	return state, errors.Join(err, s.Close())
}

// agreementIn is agreement on what a store has. If all agree and something is still lost in the end, it is for others to
// say what.
func (w *world) agreementIn(s store.Store) (*splitter.State, error) {
	for deadline := time.Now().Add(agreeWithin); ; time.Sleep(5 * time.Millisecond) {
		state, differs, err := w.compare(s)
		if err != nil || differs == "" && w.isWhole(state) {
			return state, err
		}
		if time.Now().Before(deadline) {
			continue
		}
		if differs != "" {
			return nil, fmt.Errorf("after %v they still do not agree: %s", agreeWithin, differs)
		}
		return state, nil
	}
}

// isWhole reports whether a State comes from all that anybody knows.
func (w *world) isWhole(state *splitter.State) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[state.Version] = state
	return !slices.ContainsFunc(w.nodes, func(n *node) bool { return len(w.lostHistory(n, state)) > 0 })
}

// compare returns the store's State, and in what somebody differs from it; empty if nobody does.
func (w *world) compare(s store.Store) (state *splitter.State, differs string, err error) {
	order, err := w.keys.standing()
	if err != nil || order != "" {
		return nil, fmt.Sprintf("order %q is not carried out", order), err
	}
	state, err = s.Load(context.Background(), "assistant")
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrUnavailable) {
		return nil, err.Error(), nil
	}
	if err != nil {
		return nil, "", err
	}
	for _, n := range w.nodes {
		now := n.life.state()
		if now == nil || now.Version != state.Version || !slices.Equal(ids(now.Kills), ids(state.Kills)) ||
			!slices.Equal(now.Ranges, state.Ranges) {
			return nil, fmt.Sprintf("%s has %s, the store %s", n.life.name, describe(now), gistLine(state)), nil
		}
	}
	return state, "", nil
}

// isWritable changes the weights a last time.
func (w *world) isWritable() error {
	share := w.nodes[0].life.state().Weights()["green"]%splitter.Full + percent/10
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		l := w.nodes[0].life
		r := w.begin(l.name, step{kind: setWeight, share: share})
		change := rollout.WeightChange{Weights: map[string]splitter.Weight{"green": share}}
		res, err := l.SetWeights(context.Background(), "assistant", change, rollout.By{Actor: "somebody", Reason: r.reason})
		w.history.ends(l, r, res, err)
		if err == nil {
			return nil
		}
		if !errors.Is(err, rollout.ErrUnavailable) || time.Now().After(deadline) {
			return fmt.Errorf("healed, it is not writable: %w", err)
		}
	}
}

// verify returns everything that must not be, given the State that all have agreed on.
func (w *world) verify(final *splitter.State) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("all", "agreed on %s", gistLine(final))
	w.states[final.Version] = final
	wrong := w.invalid()
	wrong = append(wrong, w.madeUp(final)...)
	for _, n := range w.nodes {
		wrong = append(wrong, w.lostKills(n, final)...)
		wrong = append(wrong, w.lostHistory(n, final)...)
	}
	wrong = append(wrong, w.wrongWeights(final)...)
	if r := w.lastOrder; r != nil && r.kind == orderKill && !w.everKilledFor(r.reason) {
		wrong = append(wrong, fmt.Sprintf("order %q was taken out of the inbox and not carried out", r.reason))
	}
	return wrong
}

// invalid returns what is wrong with any State that was applied.
func (w *world) invalid() (wrong []string) {
	for v, s := range w.states {
		if err := s.Validate(); err != nil {
			wrong = append(wrong, fmt.Sprintf("State %s is invalid: %v", short(v), err))
		}
	}
	return wrong
}

// madeUp returns changes and kills that nobody asked for, or that were answered with "nothing was changed".
func (w *world) madeUp(final *splitter.State) (wrong []string) {
	for v, s := range w.states {
		r := w.requestOf(s.Changed.Reason)
		if s.Changed.Actor == "somebody" && r == nil {
			wrong = append(wrong, fmt.Sprintf("State %s was made for %q, which nobody asked for", short(v), s.Changed.Reason))
		}
		if r != nil && (r.answer == unavailable || r.answer == refused) {
			wrong = append(wrong, fmt.Sprintf("State %s was made for %s, which was answered %q", short(v), r.reason, r.answer))
		}
	}
	for _, k := range final.Kills {
		if w.requestOf(k.Reason) == nil {
			wrong = append(wrong, fmt.Sprintf("kill %s is on, for %q, which nobody asked for", k.ID, k.Reason))
		}
	}
	return wrong
}

// requestOf returns the request of that reason; nil if there was none.
func (w *world) requestOf(reason string) *request {
	for _, r := range w.requests {
		if r.reason == reason {
			return r
		}
	}
	return nil
}

// everKilledFor reports whether any State has a kill with that reason.
func (w *world) everKilledFor(reason string) bool {
	for _, s := range w.states {
		if slices.ContainsFunc(s.Kills, func(k splitter.Kill) bool { return k.Reason == reason }) {
			return true
		}
	}
	return false
}

// lostKills returns the kills that an instance knows and that are neither on nor lifted by anybody, and those that it
// knows to be lifted and that are on.
func (w *world) lostKills(n *node, final *splitter.State) (wrong []string) {
	for id, how := range n.knows.kills {
		switch w.fateOf(id, final) {
		case forgotten:
			wrong = append(wrong, fmt.Sprintf("kill %s is lost (%s: %s)", id, n.name, how))
		case lifted:
			if !w.couldBeLifted(id) {
				wrong = append(wrong, fmt.Sprintf("kill %s is listed as lifted, and nobody lifted it (%s: %s)", id, n.name, how))
			}
		}
	}
	for id, how := range n.knows.lifted {
		if slices.Contains(ids(final.Kills), id) {
			wrong = append(wrong, fmt.Sprintf("kill %s is on again (%s: %s)", id, n.name, how))
		}
	}
	return wrong
}

// couldBeLifted reports whether somebody asked, not before the kill was asked for, that kills be lifted, and was not told
// that nothing was changed.
func (w *world) couldBeLifted(id string) bool {
	begun := 0
	for _, r := range w.requests {
		if slices.Contains(r.kills, id) && r.kind == killSomething {
			begun = r.begun
		}
	}
	return slices.ContainsFunc(w.requests, func(r *request) bool {
		isOver := r.end != 0 && r.end < begun
		return r.kind == orderRevive ||
			r.kind == reviveSomething && !isOver && r.answer != unavailable && r.answer != refused
	})
}

// lostHistory returns the States that an instance knows and that the final one does not come from.
func (w *world) lostHistory(n *node, final *splitter.State) (wrong []string) {
	ancestors := w.ancestors(final.Version)
	for v, how := range n.knows.versions {
		if !slices.Contains(ancestors, v) {
			wrong = append(wrong, fmt.Sprintf("State %s is lost (%s: %s)", short(v), n.name, how))
		}
	}
	return wrong
}

// ancestors returns a version and all that it descends from, as far as any State tells.
func (w *world) ancestors(v splitter.Version) []splitter.Version {
	all := []splitter.Version{v}
	for i := 0; i < len(all); i++ {
		s := w.states[all[i]]
		if s == nil {
			continue
		}
		for _, p := range s.Lineage {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// wrongWeights holds the final weights against the last changes of weights that it comes from. If there is one that was
// made in knowledge of all others, they are its. If not, the canary has no more than in any of them; or, if they are about
// different trials, than in one of them, as a State that was only on a disk gives way to another trial.
//
// A change that an instance wrote while it ended was seen by nobody: with one in the history, nothing can be said.
func (w *world) wrongWeights(final *splitter.State) []string {
	if slices.ContainsFunc(w.ancestors(final.Version), func(v splitter.Version) bool { return w.states[v] == nil }) {
		return nil
	}
	last := w.lastPlaced(final)
	share := final.Weights()["green"]
	var told []string
	var shares []splitter.Weight
	oneTrial := true
	for _, s := range last {
		told = append(told, gistLine(s))
		shares = append(shares, s.Weights()["green"])
		oneTrial = oneTrial && s.Epoch == last[0].Epoch && s.Salt == last[0].Salt
	}
	switch {
	case len(last) == 1 && share == shares[0],
		len(last) > 1 && oneTrial && share <= slices.Min(shares),
		len(last) > 1 && !oneTrial && share <= slices.Max(shares):
		return nil
	}
	return []string{fmt.Sprintf("the last weights set are those of\n%s\nand those agreed on are of\n%s",
		strings.Join(told, "\n"), gistLine(final))}
}

// lastPlaced returns those changes of weights in a State's history that no other one in it was made in knowledge of.
// What people set counts before what a file said at the beginning.
func (w *world) lastPlaced(final *splitter.State) []*splitter.State {
	for _, kind := range []string{rollout.KindWeights, rollout.KindCreated} {
		var placed []*splitter.State
		for _, v := range w.ancestors(final.Version) {
			if s := w.states[v]; s != nil && s.Changed.Kind == kind {
				placed = append(placed, s)
			}
		}
		last := slices.DeleteFunc(slices.Clone(placed), func(s *splitter.State) bool {
			return slices.ContainsFunc(placed, func(o *splitter.State) bool {
				return o != s && slices.Contains(w.ancestors(o.Version), s.Version)
			})
		})
		if len(last) > 0 {
			return last
		}
	}
	return nil
}
