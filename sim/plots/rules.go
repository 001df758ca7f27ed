package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/sim"
)

// rollouts is how many days are lived through to count false failbacks.
const rollouts = 100

// falseFailbacks draws how many harmless rollouts are failed back in the course of a day.
func falseFailbacks() figure {
	var days [rollouts]day
	lives := sim.Repeat(rollouts, func(seed uint64) sim.Life { return days[seed-1].live(seed) })
	never := math.Inf(1)
	var judge, fixed, peeking [rollouts]float64
	for i := range days {
		judge[i], fixed[i], peeking[i] = never, days[i].fixed.at, days[i].peeking.at
		if lives[i].FailedBack >= 0 {
			judge[i] = lives[i].FailedBack.Hours()
		}
	}
	c := chart{
		title: "1 of 10 requests a second; 1 % errors, and 60 % of both versions for ten minutes at a random time",
		x:     axis{label: "hours", low: 0, high: 24, ticks: plain(0, 3, 6, 9, 12, 15, 18, 21, 24)},
		y:     axis{label: "false failbacks in 100 rollouts", low: 0, high: 100, ticks: plain(0, 20, 40, 60, 80, 100)},
		lines: []line{
			{name: "the judge", color: 0, points: steps(judge[:])},
			{name: "a fixed threshold: over 5 % errors in the last hour, from 20 requests on", color: 1, points: steps(fixed[:])},
			{name: "a z-test at 5 %, looked at each minute", color: 3, dashed: true, points: steps(peeking[:])},
		},
	}
	return figure{title: "Harmless canaries that are failed back in the course of a day", charts: []chart{c}}
}

// steps counts, out of 100, by when it has happened.
func steps(hours []float64) []point {
	l := make([]point, 0, 24*12+1)
	for i := range 24*12 + 1 {
		x, n := float64(i)/12, 0.0
		for _, h := range hours {
			if h <= x {
				n++
			}
		}
		l = append(l, point{x, n * 100 / float64(len(hours))})
	}
	return l
}

// day is a rollout that the judge's rivals look at as well.
type day struct {
	fixed   lastHour
	peeking peeked
}

// live lives through a day with an outage.
func (d *day) live(seed uint64) sim.Life {
	d.fixed.at, d.peeking.at = math.Inf(1), math.Inf(1)
	from := time.Duration(rand.New(rand.NewPCG(seed, 1)).Float64() * float64(23*time.Hour))
	return sim.Scenario{
		Seed: seed, Rate: 10, Share: 0.1, Warmup: 30 * time.Minute, Length: 24 * time.Hour, Tick: 10 * time.Second, GoesOn: true,
		Behaves: after(from, from+10*time.Minute, 0.6, health.Canary, health.Baseline),
		Watch: func(at time.Duration, sum *health.Second, _ *health.Verdict) {
			if at >= 0 {
				base, canary := tally(sum, health.Baseline), tally(sum, health.Canary)
				d.fixed.look(at, canary)
				d.peeking.look(at, base, canary)
			}
		},
	}.Run()
}

// tally is an arm's requests and failures within ten seconds.
func tally(sum *health.Second, arm int) (r health.Rate) {
	for _, c := range sum.Arms[arm][health.AgeSlow] {
		r.N += float64(c.N)
		r.K += float64(c.Failed)
	}
	return r
}

// lastHour is the rule that is found most often: the canary's errors of the last hour against a threshold.
type lastHour struct {
	at   float64 // hours
	last [360]health.Rate
	sum  health.Rate
	next int
}

func (r *lastHour) look(at time.Duration, canary health.Rate) {
	old := &r.last[r.next%len(r.last)]
	r.sum.N += canary.N - old.N
	r.sum.K += canary.K - old.K
	*old = canary
	r.next++
	if r.sum.N >= 20 && r.sum.Share() > 0.05 {
		r.at = min(r.at, at.Hours())
	}
}

// peeked is a z-test of all that came since the start, which is no test any more when it is looked at again and again.
type peeked struct {
	at           float64 // hours
	base, canary health.Rate
	looks        int
}

func (r *peeked) look(at time.Duration, base, canary health.Rate) {
	r.base.N, r.base.K = r.base.N+base.N, r.base.K+base.K
	r.canary.N, r.canary.K = r.canary.N+canary.N, r.canary.K+canary.K
	if r.looks++; r.looks%6 != 0 || r.canary.N == 0 || r.base.N == 0 {
		return
	}
	p := (r.base.K + r.canary.K) / (r.base.N + r.canary.N)
	z := (r.canary.Share() - r.base.Share()) / math.Sqrt(p*(1-p)*(1/r.base.N+1/r.canary.N))
	if z > 1.645 {
		r.at = min(r.at, at.Hours())
	}
}
