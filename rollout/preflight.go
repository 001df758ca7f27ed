package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// preflightFor bounds how long a preflight waits for whatever it asks.
const preflightFor = 10 * time.Second

// PreflightReport says whether a rollout of a split could begin, and would be safe.
type PreflightReport struct {
	Items []PreflightItem // in the order in which people read them
}

// OK reports whether nothing is missing. Warnings do not count.
func (r PreflightReport) OK() bool {
	for _, i := range r.Items {
		if i.Result == PreflightMiss {
			return false
		}
	}
	return true
}

// PreflightItem is one thing that was looked at.
type PreflightItem struct {
	Name   string
	Result PreflightResult
	Text   string // one sentence for people
}

// PreflightResult is what was found of one thing.
type PreflightResult string

// What can be found.
const (
	PreflightOK      PreflightResult = "ok"
	PreflightWarning PreflightResult = "warning" // a rollout may begin, and somebody should know
	PreflightMiss    PreflightResult = "miss"    // a rollout should not begin
)

// Preflight looks at all that a rollout of the split's canary rests on: the configuration, the State, the store, the
// fleet's members, agents and targets of alerts. It asks agents, and sends each target of alerts a test message, so it is
// for people and pipelines, not for each second. It takes 10 s at most, and changes nothing.
func (c *Controller) Preflight(ctx context.Context, split string) (PreflightReport, error) {
	s, err := c.find(split)
	if err != nil {
		return PreflightReport{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, preflightFor)
	defer cancel()
	roll, err := c.roll(ctx)
	p := preflight{c: c, split: s, state: s.State(), def: s.Definition(), now: c.now(), roll: roll, rollErr: err, agents: s.agents()}
	return PreflightReport{Items: p.look(ctx)}, nil
}

// preflight is one look at everything.
type preflight struct {
	c      *Controller
	split  *Split
	state  *splitter.State // nil if none is known
	def    Definition
	now    time.Time // the store's clock
	roll   store.Pulse
	agents Agents // nil if no handler is in force

	rollErr error // why there is no roll
}

// finding is what was found of one thing.
type finding struct {
	result PreflightResult
	text   string
}

func isOK(format string, args ...any) finding {
	return finding{PreflightOK, fmt.Sprintf(format, args...)}
}

func warns(format string, args ...any) finding {
	return finding{PreflightWarning, fmt.Sprintf(format, args...)}
}

func misses(format string, args ...any) finding {
	return finding{PreflightMiss, fmt.Sprintf(format, args...)}
}

// look looks at everything at once, as some of it waits for others.
func (p *preflight) look(ctx context.Context) []PreflightItem {
	looks := []struct {
		name string
		at   func(context.Context) finding
	}{
		{"policy", p.policy}, {"gates", p.gates}, {"plan", p.plan}, {"alerts", p.alerts},
		{"store", p.store}, {"persistence", p.persistence}, {"members", p.members},
		{"upstreams", p.upstreams}, {"checks", p.checks}, {"metrics", p.metrics},
		{"drill", p.drill}, {"contact", p.contact}, {"canary", p.canary}, {"kills", p.kills},
	}
	items := make([]PreflightItem, len(looks))
	var all sync.WaitGroup
	for i, look := range looks {
		all.Go(func() {
			f := look.at(ctx)
			items[i] = PreflightItem{Name: look.name, Result: f.result, Text: f.text}
		})
	}
	all.Wait()
	return items
}

// allOf names all of so many things, for people.
func allOf(n int, what string) string {
	if n == 1 {
		return "the only " + what
	}
	return fmt.Sprintf("all %d %ss", n, what)
}
