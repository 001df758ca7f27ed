package sim

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// Scale says how much is simulated.
type Scale struct {
	// Healthy is how long two healthy variants live side by side in each row.
	Healthy time.Duration
	// Runs is how many shared outages each row simulates.
	Runs int
	// Detections is how many regressions each row simulates.
	Detections int
}

// Full is what the bars are stated for: about 1,000 simulated hours, some five minutes of one processor and divided among all.
var Full = Scale{Healthy: 200 * time.Hour, Runs: 200, Detections: 100}

// Quick finds gross mistakes in seconds, and in less than a minute under the race detector.
var Quick = Scale{Healthy: 10 * time.Minute, Runs: 2, Detections: 3}

// Limits returns the limits that the bars are measured with: the defaults and one latency limit of each kind.
func Limits() health.Limits {
	l := health.DefaultLimits()
	l.MaxMeanLatency = health.Duration(5 * time.Second)
	l.MaxLatency = &health.QuantileLimit{Quantile: 0.95, Max: health.Duration(8 * time.Second)}
	l.MaxTTFT = &health.QuantileLimit{Quantile: 0.95, Max: health.Duration(3 * time.Second)}
	return l
}

// row is one line of the table.
type row struct {
	what, measured, bar string
	ok                  bool
}

// String returns the row in columns.
func (r row) String() string {
	line := fmt.Sprintf("%-47s  %-54s  %s", r.what, r.measured, r.bar)
	if !r.ok {
		line += "  MISSED"
	}
	return line
}

// Run measures every bar at a scale, prints each row of the table as soon as it is known, and returns whether all bars
// were met.
func Run(w io.Writer, scale Scale) (ok bool, err error) {
	head := row{what: "what", measured: "measured", bar: "bar", ok: true}
	if _, err := fmt.Fprintln(w, head); err != nil {
		return false, fmt.Errorf("print the table: %w", err)
	}
	ok = true
	for _, measure := range scale.measures() {
		r := measure()
		if _, err := fmt.Fprintln(w, r); err != nil {
			return false, fmt.Errorf("print the table: %w", err)
		}
		ok = ok && r.ok
	}
	return ok, nil
}

// measures lists what to measure.
func (s Scale) measures() (list []func() row) {
	for _, rate := range []float64{10, 200} {
		for _, instances := range []int{1, 2} {
			list = append(list, func() row { return falseAlarms(s.Healthy, rate, instances) })
		}
	}
	for _, share := range []float64{0.1, 0.5, 0.9} {
		for _, rate := range []float64{2, 20, 200} {
			list = append(list, func() row { return sharedOutages(s.Runs, share, rate) })
		}
	}
	list = append(list, func() row { return errorBursts(s.Detections) })
	for _, rate := range []float64{20, 200} {
		list = append(list, func() row { return hangs(s.Detections, rate) })
	}
	return list
}

// falseAlarms runs two healthy variants, and counts the hours in which the canary was failed back.
func falseAlarms(span time.Duration, rate float64, instances int) row {
	life := min(span, 5*time.Hour) // of one fleet
	s := scenario{instances: instances, rate: rate, share: 0.1, limits: Limits(), length: life,
		behaves: func(arm, time.Duration) behaviour { return healthy }}
	fleets := s.repeat(int((span+life-1)/life), false, 0)
	bad, hours := 0, float64(len(fleets))*life.Hours()
	for _, f := range fleets {
		bad += f.badHours()
	}
	return row{
		what:     fmt.Sprintf("A/A, canary %g of %g rps, instances: %d", rate*s.share, rate, instances),
		measured: fmt.Sprintf("%d of %.3g hours with a failback", bad, hours),
		bar:      "<= 1 % of hours",
		ok:       float64(bad) <= hours/100,
	}
}

// badHours counts the hours with a failback.
func (f *fleet) badHours() int {
	hours := map[time.Duration]bool{}
	for _, b := range f.failbacks {
		hours[b.at/time.Hour] = true
	}
	return len(hours)
}

// sharedOutages lets both variants turn bad at the same moment, and counts failbacks.
func sharedOutages(runs int, share, rate float64) row {
	const turns, length = 2 * time.Minute, 5 * time.Minute
	s := scenario{instances: 2, rate: rate, share: share, limits: Limits(), length: length,
		behaves: turning(turns, behaviour{errorRate: 0.5}, canary, baseline)}
	bad := 0
	for _, f := range s.repeat(runs, true, 0) {
		bad += len(f.failbacks)
	}
	return row{
		what:     fmt.Sprintf("both turn 50 %% errors, canary %g %% of %g rps", share*100, rate),
		measured: fmt.Sprintf("%d of %d runs with a failback", bad, runs),
		bar:      "none",
		ok:       bad == 0,
	}
}

// errorBursts lets a canary at 10 % turn bad after a healthy minute.
func errorBursts(runs int) row {
	s := scenario{instances: 2, rate: 200, share: 0.1, limits: Limits(), length: 3 * time.Minute,
		behaves: turning(time.Minute, behaviour{errorRate: 0.5}, canary)}
	return s.detect("canary turns 50 % errors, 10 % of 200 rps", runs, 15*time.Second)
}

// hangs lets a canary at 10 % accept and never answer.
func hangs(runs int, rate float64) row {
	s := scenario{instances: 2, rate: rate, share: 0.1, limits: Limits(), length: 3 * time.Minute,
		behaves: turning(time.Minute, behaviour{hangs: true}, canary)}
	return s.detect(fmt.Sprintf("canary never answers, 10 %% of %g rps", rate), runs, time.Duration(s.limits.MaxTTFT.Max)+15*time.Second)
}

// turning behaves well until a moment, from which on the arms named are bad.
func turning(at time.Duration, bad behaviour, arms ...arm) func(arm, time.Duration) behaviour {
	return func(a arm, now time.Duration) behaviour {
		if now >= at && slices.Contains(arms, a) {
			return bad
		}
		return healthy
	}
}

// detect measures how long after the first bad answer the canary is failed back.
func (s scenario) detect(what string, runs int, bar time.Duration) row {
	var took []time.Duration
	for _, f := range s.repeat(runs, true, time.Minute) {
		if len(f.failbacks) == 0 {
			return row{what: what, measured: "a run without a failback", bar: within(bar)}
		}
		took = append(took, f.failbacks[0].at-f.firstBad)
	}
	slices.Sort(took)
	worst := took[len(took)-1]
	return row{what: what, bar: within(bar), ok: worst <= bar && took[0] > 0,
		measured: fmt.Sprintf("failback after %.1f s (median), %.1f s (worst of %d)", took[len(took)/2].Seconds(), worst.Seconds(), runs)}
}

func within(d time.Duration) string { return fmt.Sprintf("<= %g s", d.Seconds()) }

// repeat runs the scenario n times with seeds of their own, on all processors, and returns the fleets in order.
func (s scenario) repeat(n int, once bool, watchFrom time.Duration) []*fleet {
	fleets := make([]*fleet, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				mine := s
				mine.seed = uint64(i) + 1
				fleets[i] = mine.run(once, watchFrom)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return fleets
}
