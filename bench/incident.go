package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// The limits of one incident.
const (
	// callLimit is how long a control call may take.
	callLimit = 5 * time.Second
	// recoverLimit is how long all proxies may take to serve by what holds.
	recoverLimit = 30 * time.Second
	// staysFor is how long what holds in the end must go on to hold.
	staysFor = 1500 * time.Millisecond
)

// incident is one fault, and what people did before, during and after it. It keeps the book of what they were told, to
// which what is in force in the end is held.
type incident struct {
	*crew
	span   time.Duration            // for which a fault without an end of its own lasts
	right  map[splitter.Weight]bool // green's weights of which one must be in force in the end
	kills  map[string]time.Time     // ids of the kills that must be, and when each was asked for
	since  uint64                   // the revision before the fault
	latest time.Time                // when the last change was answered
	ended  time.Time                // when the fault was over
	whole  time.Time                // when all proxies served by what holds after it; zero until then
	said   []string                 // how the calls were answered, for the report
	weight splitter.Weight          // that was last asked for: each one is asked for once, so that it tells its change
}

// weigh asks one proxy for a weight that was never asked for before, and returns it.
func (i *incident) weigh(ctx context.Context, n int) (splitter.Weight, error) {
	i.weight += splitter.Full / 400
	i.traffic.expect(i.loosened())
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := weigh(i.weight)(ctx, i.proxies[n].control)
	i.latest = time.Now()
	switch {
	case err == nil:
		i.right = map[splitter.Weight]bool{i.weight: true}
	case !strings.Contains(err.Error(), "nothing was changed"):
		i.right[i.weight] = true // nobody knows
	}
	i.say(saidWeight, err)
	return i.weight, err
}

// killOff asks one proxy to kill a variant, or with an empty one the split.
func (i *incident) killOff(ctx context.Context, n int, variant string) error {
	e := i.loosened()
	e.refuses = e.refuses || variant == ""
	i.traffic.expect(e)
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	asked := time.Now()
	c, err := i.proxies[n].control.Kill(ctx, split, control.KillRequest{Variant: variant})
	i.latest = time.Now()
	for _, id := range c.KillIDs {
		i.kills[id] = asked
	}
	if err == nil && len(c.KillIDs) == 0 {
		err = errors.New("the answer to a kill names no kill")
	}
	if err == nil && c.Queued {
		i.said = append(i.said, "kill queued")
		return nil
	}
	i.say("kill", err)
	return err
}

// What is said of a change of weights, and of a call that is answered well.
const (
	saidWeight = "weight"
	saidOK     = " ok"
)

// say notes how a call was answered.
func (i *incident) say(what string, err error) {
	switch {
	case err == nil:
		what += saidOK
	case strings.Contains(err.Error(), "nothing was changed"):
		what += " refused"
	default:
		what += " unconfirmed"
	}
	i.said = append(i.said, what)
}

// loosened is what is expected while a change of weights is under way.
func (i *incident) loosened() expectation {
	e := *i.traffic.expected.Load()
	e.serves, e.table = true, nil
	return e
}

// fits reports whether a sight is of all that must be in force.
func (i *incident) fits(s sight) bool {
	return i.right[s.green] && len(i.lost(s.kills)) == 0
}

// lost returns the kills that must be in force and are not among those.
func (i *incident) lost(kills []splitter.Kill) []string {
	on := killsOf(kills)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(i.kills)), func(id string) bool { return on[id] })
}

// settle waits until the store has what must be in force and all proxies serve by it, and from then on holds their
// answers to it. It returns when the last one was first seen to.
func (i *incident) settle(ctx context.Context, limit time.Duration) (time.Time, error) {
	since := i.latest
	if i.ended.After(since) {
		since = i.ended
	}
	deadline := time.Now().Add(limit)
	for {
		at, err := i.watch.until(ctx, time.Until(deadline), since, i.fits)
		if err != nil {
			return at, fmt.Errorf("%w: %s", err, i.view())
		}
		state, err := i.stored(ctx)
		if err == nil && i.agree(state.Version) && len(i.lost(state.Kills)) == 0 {
			i.traffic.expect(byState(state))
			return at, nil
		}
		if err := wait(ctx, pollPause); err != nil {
			return at, err
		}
		if time.Now().After(deadline) {
			return at, errors.Join(fmt.Errorf("%w: %s", errNotAll, i.view()), err)
		}
	}
}

// recover waits, once for each fault, until it is over for all proxies.
func (i *incident) recover(ctx context.Context) error {
	if !i.whole.IsZero() {
		return nil
	}
	if i.ended.IsZero() {
		i.ended = time.Now()
	}
	at, err := i.settle(ctx, recoverLimit)
	if err == nil {
		i.whole = at
	}
	return err
}

// stale returns for how long some proxy did not serve by what holds, counted from the fault's end, or from the last
// change if that came later.
func (i *incident) stale() time.Duration {
	if i.whole.IsZero() {
		return recoverLimit
	}
	since := i.ended
	if i.latest.After(since) {
		since = i.latest
	}
	return max(i.whole.Sub(since), 0)
}

// reach returns how long the slowest of the kills took from being asked for until all proxies were seen to have it.
func (i *incident) reach() time.Duration {
	var slowest time.Duration
	for id, asked := range i.kills {
		if at, all := i.watch.everywhere(id); all {
			slowest = max(slowest, at.Sub(asked))
		}
	}
	return slowest
}

// healed returns how often since the fault a proxy gave the store back what it had lost, or brought two histories
// together.
func (i *incident) healed(ctx context.Context) (int, error) {
	const most = 100
	events, err := i.proxies[0].control.Events(ctx, split, most)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, ev := range events.Events {
		if ev.Revision > i.since && (ev.Kind == rollout.KindReconcile || ev.Kind == rollout.KindRestored) {
			n++
		}
	}
	return n, nil
}

// agree reports whether all proxies were last seen at one version.
func (i *incident) agree(v splitter.Version) bool {
	return !slices.ContainsFunc(i.watch.sights(), func(s sight) bool { return s.Version != v })
}

// view says what is wanted and what each proxy serves by.
func (i *incident) view() string {
	var b strings.Builder
	fmt.Fprintf(&b, "want green at one of %v and kills %v; ", slices.Sorted(maps.Keys(i.right)), slices.Sorted(maps.Keys(i.kills)))
	for n, s := range i.watch.sights() {
		fmt.Fprintf(&b, "%s has revision %d (%s), green %v, kills %v; ", memberName(n), s.Revision, s.ID, s.green,
			slices.Sorted(maps.Keys(killsOf(s.kills))))
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// must makes changes that a well store takes, and waits until all serve by them.
func (i *incident) must(ctx context.Context, changes ...func(context.Context) error) error {
	for _, do := range changes {
		if err := do(ctx); err != nil {
			return err
		}
	}
	_, err := i.settle(ctx, recoverLimit)
	return err
}

// weighs is a change for must: of the weights.
func (i *incident) weighs(n int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := i.weigh(ctx, n)
		return err
	}
}

// kill is a change for must: a kill.
func (i *incident) kill(n int, variant string) func(context.Context) error {
	return func(ctx context.Context) error { return i.killOff(ctx, n, variant) }
}

// reviveAll is a change for must: all kills are lifted, and have to be in force no more.
func (i *incident) reviveAll(n int) func(context.Context) error {
	return func(ctx context.Context) error {
		if len(i.kills) == 0 {
			return nil
		}
		e := i.loosened()
		e.refuses = true
		i.traffic.expect(e)
		ctx, cancel := context.WithTimeout(ctx, callLimit)
		defer cancel()
		if err := revive(ctx, i.proxies[n].control); err != nil {
			return fmt.Errorf("revive: %w", err)
		}
		i.latest = time.Now()
		clear(i.kills)
		return nil
	}
}
