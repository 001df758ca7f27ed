package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/sim"
)

// after lets the arms named turn bad between two moments.
func after(from, to time.Duration, errors float64, arms ...int) func(int, time.Duration) sim.Behaviour {
	return func(arm int, at time.Duration) sim.Behaviour {
		if at >= from && at < to && slices.Contains(arms, arm) {
			return sim.Behaviour{Errors: errors}
		}
		return sim.Healthy
	}
}

const forever = math.MaxInt64

// evidence draws one rollout of each kind against the threshold.
func evidence() figure {
	const length = 45 * time.Minute
	base := sim.Scenario{Seed: 3, Rate: 50, Share: 0.05, Warmup: 30 * time.Minute, Length: length}
	c := chart{
		x: axis{label: "minutes since the canary got 5 % of 50 requests a second", low: 0, high: 45, ticks: plain(0, 5, 10, 15, 20, 25, 30, 35, 40, 45)},
		y: axis{label: "evidence", low: 1e-2, high: 1e4, log: true, ticks: []tick{
			{1e-2, "0.01"}, {0.1, "0.1"}, {1, "1"}, {10, "10"}, {100, "100"}, {1e3, "1,000"}, {1e4, "10,000"}}},
	}
	for i, kind := range []struct {
		name    string
		behaves func(int, time.Duration) sim.Behaviour
	}{
		{"healthy: 1 % errors, like stable", after(0, 0, 0)},
		{"bad from the start: 5 % errors", after(0, forever, 0.05, health.Canary)},
		{"turns bad after 30 minutes: 10 % errors", after(30*time.Minute, forever, 0.1, health.Canary)},
		{"shared outage: 60 % errors of both from minute 10 to minute 20", after(10*time.Minute, 20*time.Minute, 0.6, health.Canary, health.Baseline)},
	} {
		s := base
		s.Behaves = kind.behaves
		l := evidenceOf(s, kind.name, i)
		l.dashed = i == 3 // else it hides the healthy one
		c.lines = append(c.lines, l)
	}
	c.lines = append(c.lines, line{name: "threshold: 1/alpha", color: 4, dashed: true, points: []point{{0, 100}, {45, 100}}})
	return figure{title: "Evidence against the canary, in four rollouts", charts: []chart{c}}
}

// evidenceOf follows a rollout's evidence, by the greatest of every ten seconds.
func evidenceOf(s sim.Scenario, name string, color int) line {
	l := line{name: name, color: color}
	s.Watch = func(at time.Duration, _ *health.Second, v *health.Verdict) {
		x := math.Floor(at.Minutes()*6) / 6
		switch n := len(l.points); {
		case at < 0:
		case v.Result == health.Fail:
			l.points = append(l.points, point{at.Minutes(), v.Evidence})
		case n > 0 && l.points[n-1].x == x:
			l.points[n-1].y = max(l.points[n-1].y, v.Evidence)
		default:
			l.points = append(l.points, point{x, v.Evidence})
		}
	}
	l.end = s.Run().FailedBack >= 0
	return l
}

// errorRates are the canary's, where stable has 1 %.
var errorRates = []float64{0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1}

// percents is an axis of error rates.
func percents(title string) axis {
	return axis{label: title, low: 0.025, high: 1.1, log: true,
		ticks: []tick{{0.03, "3 %"}, {0.1, "10 %"}, {0.3, "30 %"}, {1, "100 %"}}}
}

// timeToFailback draws how long it takes, and how many requests of the canary, against how bad it is.
func timeToFailback() figure {
	seconds := chart{title: "seconds until the failback (median of 15)", x: percents("the canary's errors (stable: 1 %)"), y: manySeconds("seconds")}
	requests := chart{title: "the canary's requests until then", x: seconds.x, y: manySeconds("requests")}
	for i, rate := range []float64{5, 50, 500} {
		name := fmt.Sprintf("5 %% of %g requests a second", rate)
		s, r := line{name: name, color: i, dots: true}, line{name: name, color: i, dots: true}
		for _, errors := range errorRates {
			if took, ok := detected(errors, rate, nil); ok {
				s.points = append(s.points, point{errors, took})
				r.points = append(r.points, point{errors, took * rate * 0.05})
			}
		}
		seconds.lines, requests.lines = append(seconds.lines, s), append(requests.lines, r)
	}
	bound := line{name: "least that any such test needs", color: 4, dashed: true}
	set := health.DefaultSettings()
	for _, errors := range errorRates {
		bound.points = append(bound.points, point{errors, math.Log(1/set.Alpha) / information(0.01, errors, 19, set.Ratio, set.Margin)})
	}
	requests.lines = append(requests.lines, bound)
	return figure{title: "A canary that is bad from the start", charts: []chart{seconds, requests}}
}

func manySeconds(label string) axis {
	return axis{label: label, low: 1, high: 1e5, log: true,
		ticks: []tick{{1, "1"}, {10, "10"}, {100, "100"}, {1e3, "1,000"}, {1e4, "10,000"}, {1e5, "100,000"}}}
}

// detected returns the median of how many seconds after the start a canary with 5 % of the traffic is failed back; false if
// it is not within eight hours.
func detected(errors, rate float64, settings *health.Settings) (seconds float64, ok bool) {
	lives := sim.Repeat(15, func(seed uint64) sim.Life {
		return sim.Scenario{Seed: seed, Rate: rate, Share: 0.05, Warmup: 5 * time.Minute, Length: 8 * time.Hour,
			Settings: settings, Behaves: after(0, forever, errors, health.Canary)}.Run()
	})
	took := make([]float64, len(lives))
	for i, l := range lives {
		took[i] = l.FailedBack.Seconds()
	}
	return median(took)
}

// median returns the median of times of which negative ones never came; false if it is one of those.
func median(times []float64) (float64, bool) {
	if len(times) == 0 {
		return 0, false
	}
	for i, t := range times {
		if t < 0 {
			times[i] = math.Inf(1)
		}
	}
	slices.Sort(times)
	if m := times[len(times)/2]; !math.IsInf(m, 1) {
		return m, true
	}
	return 0, false
}

// costOfSettings draws what each setting costs and saves.
func costOfSettings() figure {
	f := figure{title: "What settings cost: seconds until a canary with 5 % of 50 requests a second is failed back (median of 15)"}
	x := percents("the canary's errors")
	vary := func(title string, names []string, set func(*health.Settings, int)) {
		c := chart{title: title, x: x, y: manySeconds("seconds")}
		for i, name := range names {
			settings := health.DefaultSettings()
			set(&settings, i)
			l := line{name: name, color: i, dots: true}
			for _, errors := range errorRates {
				if errors <= 0.01*settings.Ratio+settings.Margin {
					continue // harmless, by these settings
				}
				if took, ok := detected(errors, 50, &settings); ok {
					l.points = append(l.points, point{errors, took})
				}
			}
			c.lines = append(c.lines, l)
		}
		f.charts = append(f.charts, c)
	}
	vary("margin", []string{"0.2pp (default)", "0pp", "1pp", "5pp"}, func(s *health.Settings, i int) {
		s.Margin = []float64{0.002, 0, 0.01, 0.05}[i]
	})
	vary("ratio", []string{"1.2 (default)", "1", "2", "4"}, func(s *health.Settings, i int) {
		s.Ratio = []float64{1.2, 1, 2, 4}[i]
	})
	vary("alpha", []string{"0.01 (default)", "0.1", "0.001", "0.0001"}, func(s *health.Settings, i int) {
		s.Alpha = []float64{0.01, 0.1, 0.001, 0.0001}[i]
	})
	return f
}

func plain(at ...float64) (ticks []tick) {
	for _, v := range at {
		ticks = append(ticks, tick{v, fmt.Sprint(v)})
	}
	return ticks
}

// entropy is the relative entropy of two rates: what a request says, on average, for the first against the second.
func entropy(p, q float64) float64 {
	part := func(a, b float64) float64 {
		if a <= 0 {
			return 0
		}
		return a * math.Log(a/b)
	}
	return part(p, q) + part(1-p, 1-q)
}

// information is what a request of the canary says, on average, against the harmless pair of rates that is hardest to rule
// out, if next to each there are so many of a baseline whose rate is not known beforehand.
func information(baseline, canary, times, ratio, margin float64) float64 {
	if canary <= ratio*baseline+margin {
		return 0
	}
	of := func(q float64) float64 { return entropy(canary, ratio*q+margin) + times*entropy(baseline, q) }
	low, high := baseline, min((canary-margin)/ratio, (1-1e-9-margin)/ratio)
	for range 100 {
		a, b := low+(high-low)/3, high-(high-low)/3
		if of(a) < of(b) {
			high = b
		} else {
			low = a
		}
	}
	return of((low + high) / 2)
}
