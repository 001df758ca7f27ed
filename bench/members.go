package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
)

// fleetSize is how many members a large fleet has.
const fleetSize = 20

// members measures, in a fleet of twenty, from the call at one member until the last of all decides by the change: once
// as it should be, and once where nobody hears an announcement. The members are all in this process, each with a client
// of its own, so that the last one's work waits for all others' on the same processors.
func members(ctx context.Context, l *lab, s scale) ([]row, error) {
	heard, e, err := l.spread(ctx, s.members, false)
	if err != nil {
		return nil, err
	}
	if err := l.close(); err != nil {
		return nil, err
	}
	unheard, _, err := l.spread(ctx, s.polled, true)
	if err != nil {
		return nil, err
	}
	return []row{
		spreadRow("weight change or kill -> applied by %d members, %d changes", heard, maxPropagate, e),
		spreadRow("the same with pub/sub cut: %d members, %d changes", unheard, maxPolled, e),
	}, nil
}

// spreadRow reports how long changes took.
func spreadRow(what string, took []time.Duration, bar time.Duration, e *echo) row {
	p50, p99 := quantile(took, 0.5), quantile(took, 0.99)
	return row{
		What:     fmt.Sprintf(what, fleetSize, len(took)),
		Measured: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", inMS(p50), inMS(p99)),
		Baseline: e.words(),
		Bar:      fmt.Sprintf("p99 <= %.0f ms", inMS(bar)),
		OK:       p99 <= bar,
		Figures:  e.figures(map[string]float64{"p50_ms": inMS(p50), "p99_ms": inMS(p99), "greatest_ms": inMS(quantile(took, 1))}),
	}
}

// spread makes changes, each at another member, and returns how long each took to reach all.
func (l *lab) spread(ctx context.Context, changes int, deaf bool) ([]time.Duration, *echo, error) {
	client, err := l.startRedis(ctx)
	if err != nil {
		return nil, nil, err
	}
	e, err := l.newEcho(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	way, err := l.startRelay(client.Options().Addr)
	if err != nil {
		return nil, nil, err
	}
	address := client.Options().Addr
	if way.deaf.Store(deaf); deaf {
		address = way.address()
	}
	group, err := l.startMembers(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	var took []time.Duration
	for n := range changes {
		if err := wait(ctx, rest); err != nil {
			return nil, nil, err
		}
		d, err := group.change(ctx, n)
		if err != nil {
			return nil, nil, fmt.Errorf("change %d: %w", n+1, err)
		}
		took = append(took, d)
		if err := e.measure(ctx); err != nil {
			return nil, nil, err
		}
	}
	if deaf && way.lost.Load() == 0 {
		return nil, nil, errors.New("no announcement was lost on the way: the members did not subscribe through the relay")
	}
	return took, e, nil
}

// member is one of a fleet: a controller with a client of its own.
type member struct {
	*rollout.Controller
	applied chan appliedState // what it decides by from now on
}

// appliedState is a version, and when it was applied.
type appliedState struct {
	splitter.Version
	at time.Time
}

// group is the members of a fleet.
type group []*member

// startMembers starts a fleet, which ends with the lab, and returns when all have the split's first State.
func (l *lab) startMembers(ctx context.Context, address string) (group, error) {
	var g group
	for n := range fleetSize {
		m, err := l.startMember(memberName(n), address)
		if err != nil {
			return nil, err
		}
		g = append(g, m)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("no state within %s", startLimit))
	defer cancel()
	for _, m := range g {
		if err := poll(ctx, func() (bool, error) { return m.Split(split).State() != nil, nil }); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// startMember starts one.
func (l *lab) startMember(name, address string) (*member, error) {
	const waiting = 16 // changes are made one at a time
	m := &member{applied: make(chan appliedState, waiting)}
	m.Controller = rollout.New(rollout.Options{
		Instance: name,
		Open:     func() (store.Store, error) { return openRedis(address) },
		Memory:   forgetful{},
		OnEvent:  func(_ store.Event, s *splitter.State) { m.applied <- appliedState{s.Version, time.Now()} },
	})
	_, err := l.startController(m.Controller, memberDefinition)
	return m, err
}

// openRedis opens the store of a member.
func openRedis(address string) (store.Store, error) {
	return redis.Open(redis.Config{URL: "redis://" + address}, nil)
}

// startController starts a controller with splits, in order; it is closed with the lab.
func (l *lab) startController(c *rollout.Controller, splits ...rollout.Definition) (attached []*rollout.Attachment, err error) {
	for _, def := range splits {
		a, err := c.Attach(def, 1)
		if err != nil {
			return nil, err
		}
		l.atEnd(func() error {
			c.Detach(a)
			return nil
		})
		attached = append(attached, a)
	}
	l.atEnd(c.Close)
	return attached, c.Start()
}

// memberDefinition is a split that nobody judges, as there is no traffic.
var memberDefinition = rollout.Definition{Name: split, Stable: "blue", Canary: "green",
	Variants: []rollout.Variant{{Name: "blue", Weight: splitter.Full}, {Name: "green"}}}

// forgetful is a memory that keeps nothing.
type forgetful struct{}

// Recall knows of nothing.
func (forgetful) Recall(string) (rollout.Snapshot, error) { return rollout.Snapshot{}, fs.ErrNotExist }

// Save keeps nothing.
func (forgetful) Save(string, rollout.Snapshot) error { return nil }

// change makes the n-th change: a weight, a kill and its end by turns. It returns how long after the call the last
// member had it.
func (g group) change(ctx context.Context, n int) (time.Duration, error) {
	const limit = 10 * time.Second
	m := g[n%len(g)]
	began := time.Now()
	var r rollout.Result
	var err error
	switch by := (rollout.By{Actor: "bench"}); n % 3 {
	case 0:
		w := splitter.Weight(n%50+1) * percent
		r, err = m.SetWeights(ctx, split, rollout.WeightChange{Weights: map[string]splitter.Weight{"green": w}}, by)
	case 1:
		r, err = m.Kill(ctx, split, rollout.KillRequest{}, by)
	default:
		r, err = m.Revive(ctx, split, rollout.ReviveRequest{}, by)
	}
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not applied by all within %s", limit))
	defer cancel()
	last := began
	for _, m := range g {
		at, err := m.await(ctx, r.State.Version)
		if err != nil {
			return 0, err
		}
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(began), nil
}

// await returns when the member applied a version.
func (m *member) await(ctx context.Context, v splitter.Version) (time.Time, error) {
	for {
		select {
		case a := <-m.applied:
			if a.Version == v {
				return a.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
}
