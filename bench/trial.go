package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// trialUsers are how many users ask for each split, and trialRate how many requests a second all of them make.
	trialUsers = 500
	trialRate  = 50
	// trialWeight is the canary's.
	trialWeight = 5 * percent
	// beforeTrial is for how long stable alone is asked before that.
	beforeTrial = 10 * time.Second
	// maxAwaited is how long a failback is awaited that must come.
	maxAwaited = 3 * time.Minute
	// lookEvery is the time between two looks at the status. When a failback came, the status itself says.
	lookEvery = 500 * time.Millisecond
	// scriptEvery is the time between two requests of one user's script.
	scriptEvery = time.Second
)

// trial is a split of its own, with two agents and users of its own, in one scenario.
type trial struct {
	scenario
	split       string
	blue, green *agent
	control     *control.Client // of one of the proxies
	stored      func(context.Context, string) (*splitter.State, error)
	load        *load
}

// finding is what became of a trial.
type finding struct {
	failedBack bool
	// took is how long after the canary's first bad answer it was failed back, by the State, and not positive if it had given
	// none; if it was not failed back, how long that was awaited.
	took time.Duration
	why  string // it was failed back
	// shared is how long after what befell it status first said that the cause is shared; zero if it did not.
	shared  time.Duration
	verdict health.Verdict // the last one
	users   int            // who saw a failure, all in all
}

// run plays the trial.
func (t *trial) run(ctx context.Context, s scale) (f finding, err error) {
	ctx, stop := context.WithCancel(ctx)
	var script sync.WaitGroup
	defer script.Wait()
	defer stop()
	if err := t.begin(ctx); err != nil {
		return f, err
	}
	if t.script {
		user, err := t.placed(ctx, "green")
		if err != nil {
			return f, err
		}
		script.Go(func() { t.runScript(ctx, user[0]) })
	}
	if t.well {
		if err := wait(ctx, s.healthy); err != nil {
			return f, err
		}
		t.befall(t)
	}
	limit := s.outage
	if t.bar > 0 {
		limit = maxAwaited
	}
	if f, err = t.follow(ctx, limit); err != nil {
		return f, err
	}
	f.users = t.load.finish()
	return f, nil
}

// begin gives the canary its users, while they ask.
func (t *trial) begin(ctx context.Context) error {
	if !t.avoided {
		t.load.start(ctx)
		if err := wait(ctx, beforeTrial); err != nil {
			return err
		}
	}
	if t.befall != nil && !t.well {
		t.befall(t)
	}
	_, err := t.control.SetWeights(ctx, t.split, control.WeightsRequest{Weights: map[string]splitter.Weight{"green": trialWeight}})
	if err != nil || !t.avoided {
		return err
	}
	if t.load.users, err = t.placed(ctx, "blue"); err != nil {
		return err
	}
	t.load.start(ctx)
	return nil
}

// placed returns the users whom a variant serves now.
func (t *trial) placed(ctx context.Context, variant string) (users []string, err error) {
	state, err := t.stored(ctx, t.split)
	if err != nil {
		return nil, err
	}
	table := splitter.Compile(state, crewVariants)
	for _, user := range t.load.users {
		if d := table.Decide(splitter.Request{Key: user}); d.Variant >= 0 && crewVariants[d.Variant] == variant {
			users = append(users, user)
		}
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("none of %d users is placed on %s", len(t.load.users), variant)
	}
	return users, nil
}

// runScript has one user ask for what fails, again and again.
func (t *trial) runScript(ctx context.Context, user string) {
	for wait(ctx, scriptEvery) == nil {
		_, _ = t.load.ask(ctx, t.load.addresses[0]+crashPath, user) // it fails, as it shall
	}
}

// follow looks at the status until the canary was failed back, or for a time.
func (t *trial) follow(ctx context.Context, limit time.Duration) (f finding, err error) {
	began := time.Now()
	for f.took = time.Since(began); f.took < limit; f.took = time.Since(began) {
		status, err := t.control.Status(ctx, t.split)
		if err != nil {
			return f, err
		}
		if status.Progress.Phase == splitter.PhaseFailedBack {
			f.failedBack, f.why, f.took = true, status.Progress.Why, 0
			if bad := t.green.firstBad.Load(); bad > 0 {
				f.took = status.Progress.Since.Sub(time.Unix(0, bad))
			}
			return f, nil
		}
		if status.Verdict != nil {
			f.verdict = *status.Verdict
		}
		if f.verdict.SharedCause && f.shared == 0 {
			f.shared = time.Since(began)
		}
		if err := wait(ctx, lookEvery); err != nil {
			return f, err
		}
	}
	return f, nil
}
