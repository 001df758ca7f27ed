package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

const (
	// warmup is for how long most baselines are alone before.
	warmup = 5 * time.Minute
	// turnsAt is when what both arms suffer from begins.
	turnsAt = 2 * time.Minute
)

// measures lists what to measure.
func (s Scale) measures() []func() row {
	return slices.Concat(s.harmless(), s.sharedCauses(), s.regressions(), s.robust(), s.blueGreen())
}

// always behaves one way, both arms alike.
func always(b Behaviour) func(int, time.Duration) Behaviour {
	return func(int, time.Duration) Behaviour { return b }
}

// turning behaves well until a moment, from which on the arms named are bad.
func turning(at time.Duration, bad Behaviour, arms ...int) func(int, time.Duration) Behaviour {
	return func(arm int, now time.Duration) Behaviour {
		if now >= at && slices.Contains(arms, arm) {
			return bad
		}
		return Healthy
	}
}

// harmless are two versions that do not differ. Whatever is said of them is chance.
func (s Scale) harmless() (list []func() row) {
	for _, rate := range []float64{10, 40} {
		for _, instances := range []int{1, 2} {
			share := 0.1
			if rate == 40 {
				share = 0.5
			}
			a := Scenario{Instances: instances, Rate: rate, Share: share, Warmup: 30 * time.Minute, Length: s.Rollout,
				Behaves: always(Healthy), Seal: [2]time.Duration{time.Second, 3 * time.Second}}
			a.Warmup = min(a.Warmup, s.Rollout)
			what := fmt.Sprintf("A/A, canary %g of %g rps, instances: %d", rate*share, rate, instances)
			list = append(list, func() row { return a.rollouts(what, s.Rollouts) })
		}
	}
	base := Scenario{Instances: 2, Warmup: min(30*time.Minute, s.Rollout), Length: s.Rollout / 4, Behaves: always(Healthy),
		Seal: [2]time.Duration{time.Second, 3 * time.Second}}
	steps, margin := base, base
	steps.Rate, steps.Share = 20, 0.01
	for i, share := range []float64{0.05, 0.1, 0.25, 0.5} {
		steps.Steps = append(steps.Steps, Step{At: s.Rollout / 20 * time.Duration(i+1), Share: share})
	}
	margin.Rate, margin.Share = 50, 0.05
	margin.Behaves = turning(0, Behaviour{Errors: 0.014}, health.Canary)
	return append(list,
		func() row { return steps.rollouts("A/A in steps of 1, 5, 10, 25, 50 % of 20 rps", s.Rollouts) },
		func() row { return margin.rollouts("canary at the margin: 1.4 % where stable has 1 %", s.Rollouts) },
	)
}

// sharedCauses hit both arms at the same moment.
func (s Scale) sharedCauses() (list []func() row) {
	arms := []int{health.Baseline, health.Canary}
	for _, share := range []float64{0.1, 0.5, 0.9} {
		for _, rate := range []float64{2, 20, 200} {
			o := Scenario{Instances: 2, Rate: rate, Share: share, Warmup: warmup, Length: 10 * time.Minute, Turns: turnsAt,
				Behaves: turning(turnsAt, Behaviour{Errors: 0.5}, arms...)}
			var bar time.Duration
			if min(share, 1-share)*rate >= 1.9 { // else there are not the requests to say so
				bar = 30 * time.Second
			}
			what := fmt.Sprintf("both turn 50 %% errors, canary %g %% of %g rps", share*100, rate)
			list = append(list, func() row { return o.shared(what, s.Runs, bar) })
		}
	}
	slow := Scenario{Instances: 2, Rate: 20, Share: 0.1, Warmup: 10 * time.Minute, Length: 20 * time.Minute, Turns: turnsAt,
		Behaves: turning(turnsAt, Behaviour{Errors: 0.02, Slower: 4}, arms...)}
	return append(list, func() row { return slow.shared("both slow down x4, canary 10 % of 20 rps", s.Runs, 0) })
}

// regressions are the canary's alone.
func (s Scale) regressions() (list []func() row) {
	base := Scenario{Instances: 2, Rate: 50, Share: 0.05, Warmup: warmup, Length: time.Hour}
	detect := func(what string, bad Behaviour, turns time.Duration, b bars) {
		r := base
		r.Turns, r.Length = turns, turns+time.Hour
		r.Behaves = turning(turns, bad, health.Canary)
		list = append(list, func() row { return r.detect(what, s.Detections, b) })
	}
	later := "after " + health.Duration(s.Healthy).String() + " of health"
	detect("canary 100 % errors from the start, 5 % of 50 rps", Behaviour{Errors: 1}, 0, bars{median: 8 * time.Second})
	detect("canary 30 % errors from the start, 5 % of 50 rps", Behaviour{Errors: 0.3}, 0, bars{median: 16 * time.Second})
	detect("canary 100 % errors "+later, Behaviour{Errors: 1}, s.Healthy, bars{median: 14 * time.Second})
	detect("canary 30 % errors "+later, Behaviour{Errors: 0.3}, s.Healthy, bars{median: 26 * time.Second})
	detect("canary hangs, clients give up after 30 s", Behaviour{Hangs: true}, turnsAt, bars{worst: 90 * time.Second})
	detect("canary twice as slow, 5 % of 50 rps", Behaviour{Errors: 0.01, Slower: 2}, turnsAt, bars{median: 3 * time.Minute})
	return append(list, func() row { return s.cutStreams() })
}

// cutStreams has answers of several minutes, which the canary's infrastructure ends after three.
func (s Scale) cutStreams() row {
	long := Behaviour{Errors: 0.01, Streams: 4 * time.Minute}
	cut := long
	cut.CutAt = 170 * time.Second
	c := Scenario{Instances: 2, Rate: 10, Share: 0.1, Warmup: 10 * time.Minute, Length: time.Hour,
		Behaves: func(arm int, at time.Duration) Behaviour {
			if arm == health.Canary && at >= 0 {
				return cut
			}
			return long
		}}
	return c.detectCut("canary's streams are cut after 170 s, 1 of 10 rps", s.Detections)
}

// detectCut measures from the moment at which the first stream can be known to be cut, and wants the stream named.
func (s Scenario) detectCut(what string, n int) row {
	const bar = 5 * time.Minute // three minutes until the first minute's end, and two
	var took []time.Duration
	for _, l := range s.repeat(n) {
		if l.FailedBack < 0 || l.Verdict.Stream != "aborted" {
			return row{what: what, bar: within(bar), measured: "a run without a failback for it: " + l.Verdict.Reason}
		}
		took = append(took, l.FailedBack)
	}
	median, _, worst := times(took)
	return row{what: what, bar: "worst " + within(bar) + " after the start", ok: worst <= bar,
		measured: fmt.Sprintf("failback %s after the start (median), %s (worst of %d): aborted", short(median), short(worst), n)}
}

// robust are troubles that are not the version's.
func (s Scale) robust() (list []func() row) {
	for _, rate := range []float64{5, 50} {
		u := Scenario{Instances: 2, Rate: rate, Share: 0.05, Warmup: warmup, Length: 20 * time.Minute, Behaves: always(Healthy),
			Script: &Script{From: turnsAt, To: turnsAt + 10*time.Minute, Rate: 1}}
		what := fmt.Sprintf("one user's script fails at 1 rps for 10 min, 5 %% of %g rps", rate)
		list = append(list, func() row { return u.never(what, s.Runs) })
	}
	retries := Scenario{Instances: 2, Rate: 50, Share: 0.05, Warmup: 20 * time.Minute, Length: min(time.Hour, s.Rollout),
		Behaves: always(Healthy), Retries: 4}
	retries.Warmup = min(retries.Warmup, s.Rollout)
	bursts := Scenario{Instances: 2, Rate: 20, Share: 0.1, Warmup: s.BurstsOf / 2, Length: s.BurstsOf / 2, Behaves: bursting}
	return append(list,
		func() row { return retries.never("what fails is retried at once, 4 times on average, in vain", s.Runs) },
		func() row { return s.silence() },
		func() row { return bursts.rollouts("both arms burst on their own: 8 s of 50 % errors", s.Bursts) },
	)
}

// bursting is a variant that has 8 s of trouble each hour and a half, each at another time than the other.
func bursting(arm int, at time.Duration) Behaviour {
	const every = 90 * time.Minute
	phase := (at + 100*every + time.Duration(arm)*37*time.Minute) % every
	if phase >= 50*time.Minute && phase < 50*time.Minute+8*time.Second {
		return Behaviour{Errors: 0.5}
	}
	return Healthy
}

// silence takes all traffic from a canary for an hour: no data is never failure, and after a minute nothing else either.
func (s Scale) silence() row {
	const from, length = 10 * time.Minute, time.Hour
	bad := 0
	for _, l := range Repeat(s.Runs, func(seed uint64) Life { return silent(seed, from, from+length) }) {
		if l.FailedBack >= 0 || l.Verdict.Result != health.Inconclusive {
			bad++
		}
	}
	return row{what: "the canary gets no requests for an hour", bar: "none, inconclusive", ok: bad == 0,
		measured: fmt.Sprintf("%d of %d runs with a verdict or a failback", bad, s.Runs)}
}

// silent is a rollout whose canary gets no requests from a moment on. Its verdict is the first that is not inconclusive
// after that, if there is one.
func silent(seed uint64, from, to time.Duration) Life {
	var spoke *health.Verdict
	life := Scenario{Seed: seed, Instances: 2, Rate: 20, Share: 0.1, Warmup: warmup, Length: to, Behaves: always(Healthy),
		Silent: func(at time.Duration) bool { return at >= from },
		Watch: func(at time.Duration, _ *health.Second, v *health.Verdict) {
			if at >= from+70*time.Second && spoke == nil && v.Result != health.Inconclusive {
				said := *v
				spoke = &said
			}
		}}.Run()
	if spoke != nil {
		life.Verdict = *spoke
	}
	return life
}

// blueGreen gives the canary nearly all traffic at once; 5 % stay on stable.
func (s Scale) blueGreen() []func() row {
	base := Scenario{Instances: 2, Rate: 50, Share: 0.95, Warmup: warmup, Length: min(time.Hour, s.Rollout), Behaves: always(Healthy)}
	all, some, outage := base, base, base
	all.Behaves = turning(0, Behaviour{Errors: 1}, health.Canary)
	some.Behaves = turning(0, Behaviour{Errors: 0.3}, health.Canary)
	outage.Turns = turnsAt
	outage.Behaves = turning(turnsAt, Behaviour{Errors: 0.6}, health.Baseline, health.Canary)
	return []func() row{
		func() row {
			return all.detect("blue/green, 5 % stay: 100 % errors", s.Detections, bars{p95: 15 * time.Second})
		},
		func() row {
			return some.detect("blue/green, 5 % stay: 30 % errors", s.Detections, bars{p95: 40 * time.Second})
		},
		func() row { return base.never("blue/green, 5 % stay: healthy", s.Runs) },
		func() row {
			return outage.shared("blue/green, 5 % stay: both turn 60 % errors", s.Runs, 30*time.Second)
		},
	}
}
