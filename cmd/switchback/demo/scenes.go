package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// confirmLimit is how long a change may take until every proxy has applied it.
	confirmLimit = 5 * time.Second
	// failRate is the share of green's answers that fail when it fails.
	failRate = 0.5
	// failbackLimit is how long the proxies may take to fail back.
	failbackLimit = 30 * time.Second
	// crowdLimit is how long the users may take to come; a slow machine serves fewer a second.
	crowdLimit = time.Minute
	// leastWatch is how long a step is shown at least: people read more slowly than proxies change.
	leastWatch = 2500 * time.Millisecond
)

// demoActor is who the audit log says made the demo's changes.
const demoActor = "demo"

// scene is one step: what to do, and a check that it did what it says.
type scene struct {
	title string
	// do returns what came of it in a sentence, or why the step is broken.
	do func(context.Context) (string, error)
}

// scenes lists the steps in order.
func (d *demo) scenes() []scene {
	start := "start two agents, one proxy with the embedded store, and visitors"
	if d.options.redis != "" {
		start = "start two agents, two proxies on one Redis, and visitors"
	}
	return []scene{
		{start, d.start},
		{"everybody on blue", d.watchBlue},
		{"green to 1%", d.raise(1_000, users)}, // fewer might all be on blue, by chance
		{"green to 10%", d.raise(10_000, users*3/5)},
		{"green to 25%", d.raise(25_000, users*3/5)},
		{"green begins to fail", d.fail},
		{"green's users back on blue", d.watchBack},
		{"kill", d.kill},
		{"revive", d.revive},
	}
}

func (d *demo) watchBlue(ctx context.Context) (string, error) {
	d.story.setWeights(map[string]splitter.Weight{blue: splitter.Full, green: 0})
	t, err := d.watch(ctx, d.ledger.next(), users/2)
	if err != nil {
		return "", err
	}
	return checkShare(t, 0)
}

// raise returns the step that raises green to a weight and looks at how many users went there, once enough were seen.
func (d *demo) raise(weight splitter.Weight, enough int) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		request := control.WeightsRequest{Weights: map[string]splitter.Weight{green: weight},
			Claim: control.Claim{Actor: demoActor, Reason: "the demo's next step"}}
		change, err := d.first().SetWeights(ctx, split, request, control.Wait(confirmLimit))
		if err != nil {
			return "", err
		}
		confirmed, era, err := d.settle(change)
		if err != nil {
			return "", err
		}
		t, err := d.watch(ctx, era, enough)
		if err != nil {
			return "", err
		}
		text, err := checkShare(t, weight)
		return text + "; applied by " + confirmed, err
	}
}

// fail lets green fail and waits until the proxies have failed back by themselves.
func (d *demo) fail(ctx context.Context) (string, error) {
	d.failing = d.ledger.next()
	if err := d.green.setFailRate(failRate); err != nil {
		return "", err
	}
	d.story.progress("half of its answers are errors or break off; waiting for the proxy to notice")
	if err := d.awaitFailback(ctx); err != nil {
		return "", err
	}
	over := time.Now()
	d.after = d.ledger.next()
	d.story.setWeights(map[string]splitter.Weight{blue: splitter.Full, green: 0})
	t, err := d.settled(ctx, d.failing)
	if err != nil {
		return "", err
	}
	events, err := d.first().Events(ctx, split, 0)
	if err != nil {
		return "", err
	}
	f, err := judgeFailback(t, events.Events, over)
	if err != nil {
		return "", err
	}
	d.report.Failback = &f
	return f.String(), d.green.setFailRate(0)
}

// awaitFailback waits until every proxy says that green failed and has no traffic.
func (d *demo) awaitFailback(ctx context.Context) error {
	latest := "nothing is judged"
	limited, cancel := context.WithTimeout(ctx, failbackLimit)
	defer cancel()
	err := poll(limited, func() (bool, error) {
		for _, p := range d.proxies {
			status, err := p.client.Status(limited, split)
			if err != nil {
				return false, err
			}
			if status.Verdict != nil {
				latest = fmt.Sprintf("%s: %s", status.Verdict.Result, status.Verdict.Reason)
			}
			if status.Progress.Phase != splitter.PhaseFailedBack || weightOf(status, green) > 0 {
				return false, nil
			}
		}
		return true, nil
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no failback within %s; the last verdict: %s", failbackLimit, latest)
	}
	return err
}

func weightOf(s control.Status, variant string) splitter.Weight {
	for _, v := range s.Variants {
		if v.Name == variant {
			return v.Weight
		}
	}
	return 0
}

func (d *demo) watchBack(ctx context.Context) (string, error) {
	t, err := d.watch(ctx, d.after, users/2)
	if err != nil {
		return "", err
	}
	return checkBack(t)
}

func (d *demo) kill(ctx context.Context) (string, error) {
	request := control.KillRequest{Claim: control.Claim{Actor: demoActor, Reason: "to show the kill switch"}}
	change, err := d.last().Kill(ctx, split, request, control.Wait(confirmLimit))
	if err != nil {
		return "", err
	}
	confirmed, era, err := d.settle(change)
	if err != nil {
		return "", err
	}
	t, err := d.watch(ctx, era, users/2)
	if err != nil {
		return "", err
	}
	text, err := checkRefused(t)
	return text + "; applied by " + confirmed, err
}

func (d *demo) revive(ctx context.Context) (string, error) {
	request := control.ReviveRequest{Claim: control.Claim{Actor: demoActor, Reason: "seen enough"}}
	change, err := d.last().Revive(ctx, split, request, control.Wait(confirmLimit))
	if err != nil {
		return "", err
	}
	confirmed, era, err := d.settle(change)
	if err != nil {
		return "", err
	}
	t, err := d.watch(ctx, era, users/2)
	if err != nil {
		return "", err
	}
	text, err := checkBack(t)
	if err != nil {
		return "", err
	}
	return text + "; applied by " + confirmed, d.checkLog(ctx)
}

// checkLog checks that every proxy can tell all that happened.
func (d *demo) checkLog(ctx context.Context) error {
	for _, p := range d.proxies {
		events, err := p.client.Events(ctx, split, 0)
		if err != nil {
			return err
		}
		if err := checkEvents(events.Events, rollout.KindWeights, rollout.KindWeights, rollout.KindWeights,
			rollout.KindFailback, rollout.KindKill, rollout.KindRevive); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// settle begins a new era once all proxies have applied a change.
func (d *demo) settle(c control.Change) (confirmed string, era int, err error) {
	confirmed, err = checkConfirmed(c, len(d.proxies))
	if err != nil {
		return "", 0, err
	}
	era = d.ledger.next()
	d.story.setWeights(c.Weights)
	return confirmed, era, nil
}

// watch waits until so many users have had an answer in an era, and long enough for people to see it.
func (d *demo) watch(ctx context.Context, era, enough int) (tally, error) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, crowdLimit)
	defer cancel()
	var t tally
	err := poll(limited, func() (bool, error) {
		t = d.ledger.tally(era)
		d.story.progress(fmt.Sprintf("%d of %d users seen", t.seen, users))
		return t.seen >= enough && time.Since(began) >= leastWatch, nil
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return t, fmt.Errorf("only %d of %d users had an answer within %s: %s", t.seen, enough, crowdLimit,
			strings.Join(t.complaints, "; "))
	}
	return t, err
}

// settled waits until all requests of an era have been answered.
func (d *demo) settled(ctx context.Context, era int) (tally, error) {
	limited, cancel := context.WithTimeoutCause(ctx, 2*patience, errors.New("requests in flight did not end"))
	defer cancel()
	var t tally
	err := poll(limited, func() (bool, error) {
		t = d.ledger.tally(era)
		return t.open == 0, nil
	})
	return t, err
}

// first and last are the proxies that the demo asks: with two, each change must reach the one that was not asked.
func (d *demo) first() *control.Client { return d.proxies[0].client }
func (d *demo) last() *control.Client  { return d.proxies[len(d.proxies)-1].client }
