package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// drillConfirm is how long a drill waits for all members to have applied a change.
	drillConfirm = 2 * time.Second
	// drillAsk bounds how long all test users' answers may take. Together with two changes it is within [drillFor].
	drillAsk = 20 * time.Second
	// drillEnd bounds how long the change that ends a drill, and the one that notes its result, are tried.
	drillEnd = 5 * time.Second
)

// Drill rehearses a failback: it sends test users to the canary, sees that it answers them, takes that back as a failback
// would, and sees that they are answered as before. Nobody else is moved. It is refused with ErrRefused while a trial or
// another drill is on, or a kill, and without a canary; with ErrInvalid without test users, or with more than
// [MaxDrillUsers]. Whatever fails, and if ctx ends, the drill is ended; should this instance crash, any other one ends it.
func (c *Controller) Drill(ctx context.Context, split string, r DrillRequest, by By) (DrillReport, error) {
	s, err := c.find(split)
	if err != nil {
		return DrillReport{}, err
	}
	d := rehearsal{c: c, split: s, agents: s.agents(), users: r.Users, by: by, began: time.Now()}
	hashes, err := d.hashes()
	if err != nil {
		return DrillReport{}, err
	}
	result, err := c.change(ctx, split, by, func(prev *splitter.State, def Definition, seed Seed) (Changed, error) {
		d.before, d.def = prev, def
		return BeginDrill(prev, def, hashes, by, seed)
	})
	if err != nil {
		return DrillReport{}, err // if it was written all the same, settleDrill ends it
	}
	d.id, d.changes = result.Event.ID, 1
	d.last = splitter.Version{Revision: result.Event.Revision, ID: d.id}
	d.run(ctx)
	return d.report, nil
}

// rehearsal is a drill on its way.
type rehearsal struct {
	c      *Controller
	split  *Split
	agents Agents
	users  []string // keys
	by     By
	began  time.Time

	before *splitter.State // as it was when the drill began
	def    Definition
	id     string // the drill's
	// last is the newest change of the drill, and changes is how many it has made.
	last    splitter.Version
	changes uint64
	report  DrillReport
}

// hashes returns the test users as the State has them.
func (d *rehearsal) hashes() ([]string, error) {
	switch n := len(d.users); {
	case d.agents == nil:
		return nil, refuse("no configuration in force on this instance has a handler of %q that could ask its agents", d.split.name)
	case n == 0 || n > MaxDrillUsers:
		return nil, fmt.Errorf("%w: %d test users: must be from 1 to %d", ErrInvalid, n, MaxDrillUsers)
	}
	hashes := make([]string, len(d.users))
	for i, key := range d.users {
		if key == "" {
			return nil, fmt.Errorf("%w: test user %d has an empty key", ErrInvalid, i+1)
		}
		if hashes[i] = d.agents.UserHash(key); hashes[i] == "" {
			return nil, fmt.Errorf("%w: the fleet's secret, which test users are known by, has not been heard yet", ErrUnavailable)
		}
	}
	return hashes, nil
}

// run takes all steps after the change that began the drill, and notes how they went.
func (d *rehearsal) run(ctx context.Context) {
	canary := func(string) string { return d.before.Canary }
	d.do("start", d.began, func() (string, error) { return d.confirm(ctx) })
	d.do("canary answers", time.Now(), func() (string, error) { return d.ask(ctx, canary) })
	d.do("failback", time.Now(), func() (string, error) { return d.failback(ctx) })
	d.do("stable answers", time.Now(), func() (string, error) { return d.ask(ctx, d.home) })
	d.do("restore", time.Now(), func() (string, error) { return restored(d.before, d.split.storedState(), d.last, d.changes) })
	d.conclude(ctx)
	d.c.log.Info("drill "+d.report.summary(), zap.String("split", d.split.name), zap.String("actor", d.by.Actor))
}

// do takes a step that began then.
func (d *rehearsal) do(name string, began time.Time, step func() (string, error)) {
	text, err := step()
	if err != nil {
		text = err.Error()
	}
	d.report.Steps = append(d.report.Steps, DrillStep{Name: name, Text: text, OK: err == nil, Took: time.Since(began)})
	d.report.Passed = err == nil && (d.report.Passed || len(d.report.Steps) == 1)
	d.report.Took = time.Since(d.began)
}

// confirm waits until all members have applied the drill's newest change.
func (d *rehearsal) confirm(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, drillConfirm)
	defer cancel()
	conf, err := d.c.Confirm(ctx, d.split.name, d.last)
	if err != nil {
		return "", err
	}
	if len(conf.Missing) > 0 {
		return "", fmt.Errorf("%d of %d members have applied it in %s, and %s not", len(conf.Applied),
			len(conf.Applied)+len(conf.Missing), drillConfirm, strings.Join(conf.Missing, ", "))
	}
	return fmt.Sprintf("applied by %s in %s", allOf(len(conf.Applied), "member"), conf.Took.Round(time.Millisecond)), nil
}

// ask asks as every test user at once, and expects that each lands on the variant that belongs to the key.
func (d *rehearsal) ask(ctx context.Context, want func(key string) string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, drillAsk)
	defer cancel()
	wrong := make([]error, len(d.users))
	var all sync.WaitGroup
	for i, key := range d.users {
		all.Go(func() {
			switch got, err := d.agents.Ask(ctx, key); {
			case err != nil:
				wrong[i] = fmt.Errorf("test user %d: %w", i+1, err)
			case got != want(key):
				wrong[i] = fmt.Errorf("test user %d was answered by %s and not by %s", i+1, got, want(key))
			}
		})
	}
	all.Wait()
	if err := errors.Join(wrong...); err != nil {
		return "", errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var names []string
	for _, key := range d.users {
		names = append(names, want(key))
	}
	slices.Sort(names)
	return fmt.Sprintf("%s answered %s", strings.Join(slices.Compact(names), " and "), allOf(len(d.users), "test user")), nil
}

// home returns who serves a key without the drill: stable, or another variant with a share.
func (d *rehearsal) home(key string) string {
	known := d.def.names()
	v := splitter.Compile(d.before, known).Decide(splitter.Request{Key: key}).Variant
	if v < 0 {
		return d.before.Stable
	}
	return known[v]
}

// failback ends the drill, also if ctx is over, and waits for all members.
func (d *rehearsal) failback(ctx context.Context) (string, error) {
	ctx = context.WithoutCancel(ctx)
	written, err := d.end(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("the drill cannot be ended, and ends by itself within %s: %w", drillFor, err)
	case !written:
		return "", errors.New("somebody else has ended the drill before")
	}
	return d.confirm(ctx)
}

func (d *rehearsal) end(ctx context.Context) (written bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, drillEnd)
	defer cancel()
	var ch Changed
	err = d.c.untilSwapped(ctx, d.split, func(prev *splitter.State) (Changed, bool, error) {
		why := fmt.Sprintf("nobody is sent to %s by it any more", d.before.Canary)
		ch, written, err = EndDrill(prev, d.id, why, d.by, d.c.seed())
		return ch, written, err
	})
	if written && err == nil {
		d.last, d.changes = ch.State.Version, d.changes+1
	}
	return written, err
}

// conclude writes the result.
func (d *rehearsal) conclude(ctx context.Context) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drillEnd)
	defer cancel()
	err := d.c.untilSwapped(ctx, d.split, func(prev *splitter.State) (Changed, bool, error) {
		ch, err := ConcludeDrill(prev, d.id, d.report, d.by, d.c.seed())
		d.report.Event = ch.Event
		return ch, err == nil, err
	})
	if err != nil {
		d.report.Event = store.Event{}
		d.do("record", began, func() (string, error) { return "", fmt.Errorf("the result cannot be written: %w", err) })
	}
}

// settleDrill ends a drill that whoever began it has not ended in time. Every instance tries.
func (c *Controller) settleDrill(ctx context.Context, s *Split) error {
	state := s.storedState()
	if state.Drill == nil || state.Schema > splitter.Schema || c.now().Before(state.Drill.Until) {
		return nil
	}
	return c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		return abandonDrill(prev, state.Drill.ID, c.seed())
	})
}
