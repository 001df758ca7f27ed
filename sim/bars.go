package sim

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Scale says how much is simulated.
type Scale struct {
	// Rollouts is how many rollouts with a harmless canary each row lives through, and Rollout how long one is.
	Rollouts int
	Rollout  time.Duration
	// Bursts and BurstsOf are the same of those whose baseline has bursts, half of which is before the trial.
	Bursts   int
	BurstsOf time.Duration
	// Runs is how many shared outages and other troubles of an hour or less each row simulates.
	Runs int
	// Detections is how many regressions each row simulates, Healthy how long a canary is well that turns bad later.
	Detections int
	Healthy    time.Duration
}

// Full is what the bars are stated for: about 2,500 simulated hours, some five minutes of two processors.
var Full = Scale{Rollouts: 16, Rollout: 24 * time.Hour, Bursts: 12, BurstsOf: 24 * time.Hour,
	Runs: 60, Detections: 60, Healthy: 30 * time.Minute}

// Quick finds gross mistakes in seconds, and in less than a minute under the race detector.
var Quick = Scale{Rollouts: 1, Rollout: 10 * time.Minute, Bursts: 1, BurstsOf: 20 * time.Minute,
	Runs: 1, Detections: 3, Healthy: 2 * time.Minute}

// row is one line of the table.
type row struct {
	what, measured, bar string
	ok                  bool
}

// String returns the row in columns.
func (r row) String() string {
	line := fmt.Sprintf("%-58s  %-58s  %s", r.what, r.measured, r.bar)
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

// repeat runs a scenario n times, with a seed of its own each.
func (s Scenario) repeat(n int) []Life {
	return Repeat(n, func(seed uint64) Life {
		s := s
		s.Seed = seed
		return s.Run()
	})
}

// rollouts counts harmless rollouts that are failed back: at most one in a hundred may be.
func (s Scenario) rollouts(what string, n int) row {
	bad := failedBack(s.repeat(n))
	return row{
		what:     what,
		measured: fmt.Sprintf("%d of %d rollouts of %s with a failback", bad, n, short(s.Length)),
		bar:      "<= 1 % of rollouts",
		ok:       float64(bad) <= float64(n)/100,
	}
}

// never counts failbacks where there must be none.
func (s Scenario) never(what string, n int) row {
	bad := failedBack(s.repeat(n))
	return row{what: what, measured: fmt.Sprintf("%d of %d runs with a failback", bad, n), bar: "none", ok: bad == 0}
}

func failedBack(lives []Life) (bad int) {
	for _, l := range lives {
		if l.FailedBack >= 0 {
			bad++
		}
	}
	return bad
}

// shared counts failbacks, and measures how long it takes until a cause is called shared: until there are enough requests
// of both arms, which is said only of those that are to be within the bar.
func (s Scenario) shared(what string, n int, bar time.Duration) row {
	lives := s.repeat(n)
	bad, said := failedBack(lives), make([]time.Duration, 0, n)
	for _, l := range lives {
		if l.Shared >= 0 {
			said = append(said, l.Shared-s.Turns)
		}
	}
	r := row{what: what, bar: "none", ok: bad == 0, measured: fmt.Sprintf("%d of %d runs with a failback", bad, n)}
	median, _, worst := times(said)
	if len(said) > 0 {
		r.measured += fmt.Sprintf("; shared cause said after %s (%s)", short(median), short(worst))
	}
	if bar > 0 {
		r.bar += ", said " + within(bar)
		r.ok = r.ok && len(said) == n && worst <= bar && s.Turns+said[0] > 0
	}
	return r
}

// bars are what the times until a failback are held to; zero: not held.
type bars struct{ median, p95, worst time.Duration }

// detect measures how long after the first bad answer the canary is failed back, and that it never is before.
func (s Scenario) detect(what string, n int, b bars) row {
	var took []time.Duration
	var stream string
	for _, l := range s.repeat(n) {
		switch {
		case l.FailedBack < 0:
			return row{what: what, measured: "a run without a failback: " + l.Verdict.Reason, bar: b.String()}
		case l.FirstBad < 0 || l.FailedBack < l.FirstBad:
			return row{what: what, measured: "a failback before the first bad answer: " + l.Verdict.Reason, bar: b.String()}
		}
		took = append(took, l.FailedBack-l.FirstBad)
		stream = l.Verdict.Stream
	}
	median, p95, worst := times(took)
	return row{what: what, bar: b.String(), ok: b.hold(median, p95, worst),
		measured: fmt.Sprintf("failback after %s (median), %s (p95), %s (worst of %d): %s",
			short(median), short(p95), short(worst), n, stream)}
}

// times returns what half, 95 % and all do not exceed; zeros of none.
func times(took []time.Duration) (median, p95, worst time.Duration) {
	if len(took) == 0 {
		return 0, 0, 0
	}
	slices.Sort(took)
	last := len(took) - 1
	return took[last/2], took[last*95/100], took[last]
}

func (b bars) hold(median, p95, worst time.Duration) bool {
	for _, pair := range [][2]time.Duration{{median, b.median}, {p95, b.p95}, {worst, b.worst}} {
		if pair[1] > 0 && pair[0] > pair[1] {
			return false
		}
	}
	return true
}

// String says what is held.
func (b bars) String() string {
	switch {
	case b.worst > 0:
		return within(b.worst)
	case b.p95 > 0:
		return "p95 " + within(b.p95)
	}
	return "median " + within(b.median)
}

func within(d time.Duration) string { return "<= " + short(d) }

// short writes a time to a tenth of a second, or in hours if it is some.
func short(d time.Duration) string {
	if d >= time.Hour {
		return fmt.Sprintf("%.3g h", d.Hours())
	}
	return fmt.Sprintf("%.4g s", d.Round(100*time.Millisecond).Seconds())
}
