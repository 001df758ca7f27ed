package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Splits returns the names of the splits that this instance runs, sorted.
func (c *Controller) Splits() []string {
	var names []string
	for _, s := range c.all() {
		names = append(names, s.name)
	}
	slices.Sort(names)
	return names
}

// SetWeights moves shares; see [SetWeights].
func (c *Controller) SetWeights(ctx context.Context, split string, w WeightChange, by By) (Result, error) {
	result, err := c.change(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return SetWeights(prev, def, w, by, seed)
	})
	if err != nil {
		return result, err
	}
	notes := []string{result.Note, trickleNote(result.State, c.now()), c.lackNote(ctx, result.State)}
	if result.Note == "" {
		notes = append(notes, killedNote(result.State, w), talkNote(result.State, c.Split(split)))
	}
	result.Note = strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
	return result, nil
}

// killedNote says which of the variants that were given a share are killed.
func killedNote(state *splitter.State, w WeightChange) string {
	for _, v := range slices.Sorted(maps.Keys(w.Weights)) {
		if w.Weights[v] > 0 && state.KillOf(v) != nil {
			return v + " is killed: it serves nobody until it is revived"
		}
	}
	return ""
}

// Rename gives a variant of the State another name; see [Rename].
func (c *Controller) Rename(ctx context.Context, split, from, to string, by By) (Result, error) {
	return c.change(ctx, split, by, func(prev *splitter.State, _ Definition, seed Seed) (Changed, error) {
		return Rename(prev, from, to, by, seed)
	})
}

// Adopt lets the State take over a file's roles; see [Adopt].
func (c *Controller) Adopt(ctx context.Context, split string, r AdoptRequest, by By) (Result, error) {
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return Adopt(prev, def, r, by, seed)
	})
}

// ApplyPolicy replaces the epoch's frozen policy by this instance's file's; see [ApplyPolicy]. The answer says so if a
// rollout that is under way cannot pass, or cannot fail, by that.
func (c *Controller) ApplyPolicy(ctx context.Context, split string, by By) (Result, error) {
	return c.give(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		return ApplyPolicy(prev, def, by, seed)
	})
}

// Revive lifts kills; see [Revive]. A kill that is not in the store yet is written first, so that its id is listed as
// lifted wherever else it may be queued. The split need not be one that this instance runs.
func (c *Controller) Revive(ctx context.Context, split string, r ReviveRequest, by By) (Result, error) {
	s := c.lookup(split)
	if s == nil {
		return c.reviveStored(ctx, split, r, by)
	}
	if err := c.settleKills(ctx, s); err != nil {
		return Result{}, fmt.Errorf("%w, nothing was lifted: a kill that waits for the store must be written first: %s",
			ErrUnavailable, err.Error()) // which may say that its own write is not confirmed
	}
	return c.change(ctx, split, by, func(prev *splitter.State, _ Definition, seed Seed) (Changed, error) {
		return Revive(prev, r, by, seed)
	})
}

// reviveStored lifts kills of a split that this instance does not run.
func (c *Controller) reviveStored(ctx context.Context, split string, r ReviveRequest, by By) (Result, error) {
	return c.changeStored(ctx, split, by, func(prev *splitter.State, seed Seed) (Changed, error) {
		if prev == nil {
			return Changed{}, c.unknownInStore(ctx, split)
		}
		return Revive(prev, r, by, seed)
	})
}

// Kill switches off a split or a variant: here at once, then in the store. If the store is away the kill is queued,
// announced as far as announcing still works, and written when the store is back.
func (c *Controller) Kill(ctx context.Context, split string, r KillRequest, by By) (Result, error) {
	s, err := c.find(split)
	if err != nil {
		return Result{}, err
	}
	if err := s.stillAt(by.If); err != nil {
		return Result{}, err
	}
	k, err := NewKill(s.State(), s.Definition(), r, by, c.seed())
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	if err := c.holdKill(s, k); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	ch, written, err := c.writeKill(ctx, s, k, "")
	if err != nil {
		return c.queued(ctx, s, k, err, c.remember(s)), nil
	}
	state := s.State()
	if !written { // a pulse was faster
		ch.Event = eventOfKill(k, state)
	}
	return Result{State: state, Event: ch.Event, Took: time.Since(start)}, nil
}

// queued tells of a kill that the store did not take, and announces it to the others.
func (c *Controller) queued(ctx context.Context, s *Split, k splitter.Kill, cause, unsaved error) Result {
	c.log.Error("kill queued", zap.String("split", s.name), zap.Error(cause), zap.NamedError("disk", unsaved))
	note := "the kill holds on this instance and is queued on its disk"
	if unsaved != nil {
		note = fmt.Sprintf("the kill holds on this instance until it restarts (its disk did not take it: %v)", unsaved)
	}
	note += fmt.Sprintf("; the store did not take it: %v", cause)
	var untold []string
	announced := c.announce(ctx, store.Notice{Split: s.name, Kill: &k}) == nil
	if announced {
		note += "; it was announced to the other instances"
	} else {
		note += "; nor could it be announced to the other instances"
		untold = c.others()
	}
	state := s.State()
	return Result{State: state, Event: eventOfKill(k, state), Queued: true, Announced: announced, Untold: untold, Note: note}
}

// eventOfKill is what can be said of a kill whose own change is not at hand.
func eventOfKill(k splitter.Kill, state *splitter.State) store.Event {
	ev := store.Event{ID: k.ID, Kills: []splitter.Kill{k},
		Change: splitter.Change{Kind: KindKill, Actor: k.Actor, Via: k.Via, At: k.At, Reason: k.Reason}}
	if state != nil {
		ev.Split, ev.Revision, ev.Epoch = state.Split, state.Revision, state.Epoch
		ev.From, ev.To = state.Weights(), state.Weights()
	}
	return ev
}

// announce tells all instances that can be told, even if who asked for it has left.
func (c *Controller) announce(ctx context.Context, n store.Notice) error {
	return c.withStore(context.WithoutCancel(ctx), func(ctx context.Context, st store.Store) error { return st.Announce(ctx, n) })
}

// Events returns a split's newest events, newest first. It need not be one that this instance runs: those of a forgotten
// split stay.
func (c *Controller) Events(ctx context.Context, split string, limit int) ([]store.Event, error) {
	st := c.openStore()
	if st == nil {
		return nil, fmt.Errorf("%w: it is not open", ErrUnavailable)
	}
	events, err := st.Events(ctx, split, limit)
	if err != nil {
		return nil, unanswered(err)
	}
	if len(events) == 0 && c.lookup(split) == nil {
		return nil, c.unknownInStore(ctx, split)
	}
	return events, nil
}

// EventsAfter returns a split's events that follow a cursor, oldest first; see [store.Outbox].
func (c *Controller) EventsAfter(ctx context.Context, split, cursor string, limit int) ([]store.Event, error) {
	st := c.openStore()
	if st == nil {
		return nil, fmt.Errorf("%w: it is not open", ErrUnavailable)
	}
	events, err := st.EventsAfter(ctx, split, cursor, limit)
	if err != nil {
		return nil, unanswered(err)
	}
	return events, nil
}

// Store describes the store.
func (c *Controller) Store() store.Description {
	if st := c.openStore(); st != nil {
		return st.Describe()
	}
	return store.Description{Warning: "the store is not open"}
}

// stillAt returns ErrStale unless the State still has the version that the caller saw.
func (s *Split) stillAt(want *splitter.Version) error {
	var now splitter.Version
	if state := s.storedState(); state != nil {
		now = state.Version
	}
	return mustBeAt(now, want)
}

// mustBeAt returns ErrStale if the caller saw another version than the present one.
func mustBeAt(now splitter.Version, want *splitter.Version) error {
	if want == nil || now == *want {
		return nil
	}
	return fmt.Errorf("%w: you saw revision %d (%s), it is %d (%s) by now; look again", ErrStale,
		want.Revision, want.ID, now.Revision, now.ID)
}

// Split returns a split by name; nil if this instance does not run it.
func (c *Controller) Split(name string) *Split { return c.lookup(name) }

func (c *Controller) find(split string) (*Split, error) {
	if s := c.lookup(split); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w: %q; this instance runs %q", ErrUnknownSplit, split, c.Splits())
}

// reach asks a store that was away whether it is back. It is not sent the change itself: one that hangs could still
// carry out much later what its caller has been told was refused.
func (c *Controller) reach(ctx context.Context) error {
	if !c.isStoreAway() {
		return nil
	}
	p, err := c.beat(ctx, c.all(), false)
	if err != nil {
		return err
	}
	return refusal(p)
}

// errAway is what a store that is not asked would say.
var errAway = fmt.Errorf("%w: it is not open or did not answer lately", store.ErrUnavailable)

// isAway reports whether the store could not be asked, or has lost what it is asked about.
func isAway(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotFound)
}

// unavailable says of a store's error what that means for the caller of a control.
func unavailable(err error) error {
	switch {
	case errors.Is(err, ErrUnconfirmed):
		return fmt.Errorf("%w: it did not confirm the change; look at the status before you repeat it: %w", ErrUnavailable, err)
	case errors.Is(err, ErrUnknownSplit):
		return err
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w, nothing was changed: it came back without the state of this split, which a proxy that knows "+
			"it writes back within seconds; try again: %w", ErrUnavailable, err)
	case isAway(err):
		return fmt.Errorf("%w, nothing was changed: %w", ErrUnavailable, err)
	}
	return err
}

// unanswered says of a store's error that a question could not be answered.
func unanswered(err error) error {
	if isAway(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
