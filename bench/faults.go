package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// fault is something that befalls the store, or a proxy in what it remembers of it.
type fault struct {
	name  string
	begin func(context.Context, *incident) error
	// during is what people do meanwhile; nil: the usual changes.
	during func(context.Context, *incident) error
	end    func(context.Context, *incident) error // nil: it is over when it has begun
	// refuses is whether the store takes no weights meanwhile, and loses whether it loses what it had acknowledged: if
	// not, the fault did not happen.
	refuses, loses bool
}

// setup is servers that can have faults, with a crew of proxies on them.
type setup struct {
	what   string
	start  func(context.Context, *lab) (*crew, []fault, error)
	faults []string // names, in order
}

// faulty are the setups that faults are tried on.
var faulty = []setup{
	{"Sentinel", startSentinelCrew, sentinelFaults},
	{"Cluster", startClusterCrew, clusterFaults},
}

// faults tries each fault in turn on proxies that serve all the time, and reports what it cost: one row for each.
func faults(ctx context.Context, l *lab, s scale) ([]row, error) {
	var rows []row
	for _, one := range faulty {
		if !slices.ContainsFunc(one.faults, s.includes) {
			continue
		}
		found, err := one.try(ctx, l, s)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", one.what, err)
		}
		rows = append(rows, found...)
		if err := l.close(); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// includes reports whether a fault is to be tried.
func (s scale) includes(name string) bool {
	return len(s.faults) == 0 || slices.Contains(s.faults, name)
}

// try tries the setup's faults.
func (s setup) try(ctx context.Context, l *lab, scale scale) ([]row, error) {
	c, all, err := s.start(ctx, l)
	if err != nil {
		return nil, err
	}
	book := &incident{crew: c, span: scale.span, weight: 5 * percent, right: map[splitter.Weight]bool{}, kills: map[string]time.Time{}}
	var rows []row
	for _, f := range all {
		if !scale.includes(f.name) {
			continue
		}
		r, err := f.try(ctx, book)
		if ctx.Err() != nil {
			return rows, context.Cause(ctx)
		}
		r.What = s.what + ": " + f.name
		if err != nil {
			r.OK = false
			r.Notes = append(r.Notes, err.Error())
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// percent is one percent.
const percent = splitter.Full / 100

// try has one fault happen. An error says that the crew did not become, or did not stay, as it should be.
func (f fault) try(ctx context.Context, i *incident) (row, error) {
	i.ended, i.whole = time.Time{}, time.Time{}
	if err := i.must(ctx, i.weighs(0)); err != nil {
		return row{Measured: "not tried", Bar: faultBar}, fmt.Errorf("before the fault: %w", err)
	}
	i.traffic.take()
	i.watch.takeBackwards()
	i.said, i.since = nil, i.watch.sights()[0].Revision
	began := time.Now()
	err := f.happen(ctx, i)
	lasted := time.Since(began)
	if err == nil {
		err = i.recover(ctx)
	}
	if err == nil {
		err = wait(ctx, staysFor)
	}
	r := i.report(lasted)
	if err == nil {
		err = f.happened(ctx, i)
	}
	after := i.must(ctx, i.reviveAll(3), i.weighs(4))
	if after != nil {
		after = fmt.Errorf("after the fault: %w", after)
	}
	return r, errors.Join(err, after)
}

// happened says so if the fault did not: what was measured then means nothing.
func (f fault) happened(ctx context.Context, i *incident) error {
	if f.refuses && slices.Contains(i.said, saidWeight+saidOK) {
		return errors.New("the store took weights in spite of the fault")
	}
	healed, err := i.healed(ctx)
	if err != nil {
		return fmt.Errorf("ask for the events: %w", err)
	}
	if f.loses && healed == 0 {
		return errors.New("the store lost nothing that had to be written again")
	}
	return nil
}

// happen begins the fault, makes changes in it, and ends it.
func (f fault) happen(ctx context.Context, i *incident) error {
	if err := f.begin(ctx, i); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	during := f.during
	if during == nil {
		during = usualChanges
	}
	err := during(ctx, i)
	if f.end != nil {
		err = errors.Join(err, f.end(ctx, i))
	}
	return err
}

// usualChanges are a change of weights and, at another proxy, a kill of the split, in the course of a fault. That the
// weights are refused is right; a kill is not.
func usualChanges(ctx context.Context, i *incident) error {
	third := i.span / 3
	if err := wait(ctx, third); err != nil {
		return err
	}
	if _, err := i.weigh(ctx, 1); err != nil && ctx.Err() != nil {
		return err
	}
	if err := wait(ctx, third); err != nil {
		return err
	}
	if err := i.killOff(ctx, 2, ""); err != nil {
		return fmt.Errorf("kill during the fault: %w", err)
	}
	return wait(ctx, third)
}

// faultBar is what holds for every fault.
const faultBar = "0 failed, lost, backwards, resurrected"

// report says what the fault has cost.
func (i *incident) report(lasted time.Duration) row {
	sent, failed, notes := i.traffic.take()
	backwards := i.watch.takeBackwards()
	lost, resurrected := 0, 0
	for _, s := range i.watch.sights() {
		lost = max(lost, len(i.lost(s.kills)))
		if !i.right[s.green] {
			resurrected = 1
		}
	}
	stale, reach := i.stale().Seconds(), i.reach().Seconds()
	return row{
		Measured: fmt.Sprintf("%d of %d requests failed, %.1f s stale, %d kills lost, %d revisions backwards, %d resurrected",
			failed, sent, stale, lost, len(backwards), resurrected),
		Baseline: fmt.Sprintf("%.1f s: %s; kills everywhere in %.1f s", lasted.Seconds(), strings.Join(i.said, ", "), reach),
		Bar:      faultBar,
		OK:       failed == 0 && lost == 0 && len(backwards) == 0 && resurrected == 0,
		Notes:    append(notes, backwards...),
		Figures: map[string]float64{"requests": float64(sent), "failed_requests": float64(failed), "stale_s": stale, "kills_reach_s": reach,
			"lost_kills": float64(lost), "backwards_revisions": float64(len(backwards)), "resurrected_states": float64(resurrected)},
	}
}
