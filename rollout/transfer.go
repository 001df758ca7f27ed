package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Forget gives a split up. What is left is a tombstone, which keeps older States of it, such as a snapshot on some
// disk, from coming back. ErrRefused is returned while a kill is on: it would be lost.
func Forget(prev *splitter.State, by By, seed Seed) (Changed, error) {
	if !prev.Forgotten.IsZero() {
		return Changed{}, fmt.Errorf("%w: %q was forgotten on %s", ErrUnknownSplit, prev.Split, prev.Forgotten.Format(time.DateOnly))
	}
	if len(prev.Kills) > 0 {
		return Changed{}, refuse("%q is killed, which would be forgotten too; revive it first", prev.Split)
	}
	n := next(prev, KindForget, by, seed)
	n.Forgotten = seed.Now
	return tell(prev, n)
}

// Import writes an exported State over the present one, or where there is none (prev is nil). It begins a new epoch at
// the greater revision + 1. Kills of both hold, but for those that either lists as lifted. A plan that runs is paused.
func Import(prev *splitter.State, r ImportRequest, by By, seed Seed) (Changed, error) {
	if err := mayImport(r.State); err != nil {
		return Changed{}, err
	}
	n := r.State.Clone()
	n.Parent, n.Lineage, n.Began, n.Moved = "", nil, seed.Now, nil
	if prev != nil {
		n.Began = prev.Began
		n.Revision, n.Epoch = max(n.Revision, prev.Revision), max(n.Epoch, prev.Epoch)
		n.Kills, n.Revived = mergeKills(r.State, prev)
		n.Cooldown = laterCooldown(n.Cooldown, prev.Cooldown)
		mergeDrills(n, r.State, prev)
		n.Parent, n.Lineage = prev.ID, splitter.Heritage(prev)
	}
	n.Revision++
	n.Epoch++
	n.ID = seed.ID
	n.Ranges, n.Probe, n.Drill = repaid(r.State), nil, nil
	watchAgain(n, r.State, seed.Now)
	hold(n, By{Actor: by.Actor, Reason: "the split was imported"}, seed)
	n.Placed = []splitter.Version{n.Version}
	n.Changed = splitter.Change{Kind: KindImport, Actor: by.Actor, Via: by.Via, At: seed.Now, Reason: by.Reason}
	if prev != nil {
		n.Remember(prev)
	}
	ch, err := tellOnly(prev, n)
	if prev == nil {
		prev = new(splitter.State)
	}
	ch.Event.Kills = newKills(prev, n)
	return ch, err
}

// mayImport says what is wrong with a State that is to be imported.
func mayImport(s *splitter.State) error {
	if s == nil {
		return fmt.Errorf("%w: there is no state to import", ErrInvalid)
	}
	if !s.Forgotten.IsZero() {
		return fmt.Errorf("%w: the state of %q is that of a forgotten split", ErrInvalid, s.Split)
	}
	if share := s.Weights()[s.Canary]; s.Progress.Phase == splitter.PhaseFailedBack && share > 0 {
		return fmt.Errorf("%w: %q is failed back in the state of %q and has %s: a canary that failed has nothing",
			ErrInvalid, s.Canary, s.Split, share)
	}
	if _, err := runningPlan(s); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// watchAgain begins the watch of an imported trial again, if it was in one.
func watchAgain(n, imported *splitter.State, now time.Time) {
	if imported.RunningTrickle() == nil {
		n.Trickle = nil
		return
	}
	n.Trickle.Epoch = n.Epoch
	if p := frozenPolicy(n); p.trickles() && !n.Trickle.Until.IsZero() {
		n.Trickle.Until = now.Add(time.Duration(p.Judge.Trickle.Watch))
	}
}

// leftOut says which kills of an imported State are not on after the import.
func leftOut(imported, n *splitter.State) string {
	var ids []string
	for _, k := range newKills(n, imported) {
		ids = append(ids, killText(k))
	}
	if len(ids) == 0 {
		return ""
	}
	return "kills of the file that were lifted here are not brought back: " + strings.Join(ids, ", ")
}

// Forget gives up a split that no member of the fleet configures; see [Forget]. It need not be one that this instance
// has ever run.
func (c *Controller) Forget(ctx context.Context, split string, by By) (Result, error) {
	p, err := c.roll(ctx)
	if err != nil {
		return Result{}, unavailable(err)
	}
	var users []string
	for _, m := range p.Members {
		if _, runs := m.Applied[split]; runs && !m.IsReplaced(p.Members, p.Now) {
			users = append(users, memberText(m, p.Now))
		}
	}
	if len(users) > 0 {
		return Result{}, refuse("%q is configured by %s; take it out of their files and reload, or forget a "+
			"member that is gone for good", split, strings.Join(users, ", "))
	}
	return c.changeStored(ctx, split, by, func(prev *splitter.State, seed Seed) (Changed, error) {
		if prev == nil {
			return Changed{}, c.unknownInStore(ctx, split)
		}
		return Forget(prev, by, seed)
	})
}

// Import writes an exported State over what the store has; see [Import]. Without force, one that this instance could
// not serve is refused.
func (c *Controller) Import(ctx context.Context, split string, r ImportRequest, by By) (Result, error) {
	if r.State != nil && r.State.Split != split {
		return Result{}, fmt.Errorf("%w: the state is of %q, not of %q", ErrInvalid, r.State.Split, split)
	}
	if s := c.lookup(split); s != nil && r.State != nil && !r.Force {
		if def := s.Definition(); !def.has(r.State.Stable) {
			return Result{}, refuse("stable is %q in the state to import, and this instance's file has only %q; "+
				"use force to import it all the same", r.State.Stable, def.names())
		}
	}
	result, err := c.changeStored(ctx, split, by, func(prev *splitter.State, seed Seed) (Changed, error) {
		return Import(prev, r, by, seed)
	})
	if err == nil {
		result.Note = leftOut(r.State, result.State)
	}
	return result, err
}

// Export returns the States of the named splits as the store has them, or of all that are not forgotten.
func (c *Controller) Export(ctx context.Context, splits []string) ([]*splitter.State, error) {
	st := c.openStore()
	if st == nil {
		return nil, fmt.Errorf("%w: it is not open", ErrUnavailable)
	}
	all := len(splits) == 0
	if all {
		var err error
		if splits, err = st.List(ctx); err != nil {
			return nil, unanswered(err)
		}
		splits = append(splits, c.Splits()...) // one that an earlier release wrote may not be listed
	}
	var states []*splitter.State
	for _, split := range slices.Compact(slices.Sorted(slices.Values(splits))) {
		state, err := st.Load(ctx, split)
		switch {
		case err == nil && state.Forgotten.IsZero():
			states = append(states, state)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, unanswered(err)
		case !all:
			return nil, c.unknownInStore(ctx, split)
		}
	}
	return states, nil
}

// unknownInStore says that the store has no such split, and which it has.
func (c *Controller) unknownInStore(ctx context.Context, split string) error {
	states, err := c.Export(ctx, nil)
	if err != nil {
		return err
	}
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = state.Split
	}
	return fmt.Errorf("%w: the store has no state of %q; it has some of %q", ErrUnknownSplit, split, names)
}

// changeStored makes one change of what the store has of a split, run here or not; prev is nil if that is nothing.
func (c *Controller) changeStored(ctx context.Context, split string, by By,
	change func(prev *splitter.State, seed Seed) (Changed, error),
) (Result, error) {
	if err := c.reach(ctx); err != nil {
		return Result{}, unavailable(err)
	}
	start := time.Now()
	for {
		prev, err := c.loadStored(ctx, split)
		if err != nil {
			return Result{}, unavailable(err)
		}
		var at splitter.Version
		if prev != nil {
			at = prev.Version
		}
		if err := mustBeAt(at, by.If); err != nil {
			return Result{}, err
		}
		ch, err := change(prev, c.seed())
		if err != nil {
			return Result{}, err
		}
		err = c.write(ctx, at, ch)
		if errors.Is(err, store.ErrConflict) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return Result{}, unavailable(err)
		}
		if s := c.lookup(split); s != nil {
			c.applyWritten(s, ch.State)
		}
		return Result{State: ch.State, Event: ch.Event, Took: time.Since(start)}, nil
	}
}

// loadStored returns what the store has of a split; nil if nothing.
func (c *Controller) loadStored(ctx context.Context, split string) (state *splitter.State, err error) {
	err = c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		state, err = st.Load(ctx, split)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return state, err
}
