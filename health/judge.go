package health

import (
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	// settle is how long a broken limit waits, from the onset of the trouble, for a baseline of fewer than
	// min_requests; also the short span over which the baseline's own trouble vetoes.
	settle = 10 * time.Second
	// patience is how long it waits at most, while a baseline with so little traffic could be as bad by chance.
	patience = earlierSlices * earlierWidth
)

// JudgeLimits says whether the canary keeps to the limits, by its own evidence and the baseline's over the same window.
//
// A limit is broken only beyond chance: a rate or quantile if a variant that just keeps it would look as bad with a
// probability of at most 1 in 10,000 (exact binomial), the mean if it is over by more than three standard errors; and
// never with fewer than MinRequests requests that say something about it.
//
// The veto is looser than the alarm, as a failback that was not needed costs trust and one that comes a little later
// does not. A broken limit holds instead of failing
//
//   - as a shared cause, if the baseline's plain rate (or mean) is over the limit in the window, in the last 10 s, or
//     since the onset of the canary's trouble;
//   - waiting, while the baseline had fewer than MinRequests requests since the onset, for up to 10 s; and beyond that,
//     for up to 5 minutes, as long as chance (the same 1 in 10,000) could make a variant as bad as the canary look as
//     good as those few requests. One success next to a canary that always fails is enough to go on; three next to a
//     canary that fails half of the time are not. With none at all since the onset, but some in the window, it waits.
//
// The onset is the moment since which the canary exceeds the limit by the most. A baseline without traffic cannot veto;
// a verdict says so in NoBaseline. That is one with nothing in the window, and also one whose traffic has stopped: at the
// rate it had, chance would make it silent for that long, and that is at least 10 s, once in 100 million times. So a
// canary that is given everything and then fails is not held for the minute in which the window still remembers the
// baseline. If the canary had no traffic in the last 10 s either, nobody asks at all: what was a shared cause remains one.
//
// While one user makes over 90 % of at least MinRequests of the canary's requests, version and user cannot be told apart:
// the verdict says so, and neither fails nor passes unless rule says that it may.
func JudgeLimits(l Limits, rule OnFewUsers, canary, baseline Evidence) Verdict {
	terms := termsOf(l)
	for _, e := range []Evidence{canary, baseline} {
		if e.Terms != terms && e.Terms != (Terms{}) {
			return Verdict{Reason: "the evidence was gathered under other limits than those to judge by"}
		}
	}
	t := trial{canary: newArm(&canary), baseline: newArm(&baseline), least: l.leastN()}
	v := Verdict{NoBaseline: t.baseline.stopped()}
	lately := t.canary.since(settle)
	t.noBaseline = v.NoBaseline && lately.active()
	var kept, broken []finding
	for _, c := range criteriaOf(l) {
		f := t.examine(c)
		v.Checks = append(v.Checks, f.Check)
		if f.Broken {
			broken = append(broken, f)
		} else {
			kept = append(kept, f)
		}
	}
	if len(broken) > 0 {
		v.decide(broken)
	} else {
		v.settleFor(l, t.canary.window, kept)
	}
	v.weighUsers(l, rule, t.canary)
	return v
}

// arm is one variant's evidence and its sum over the window.
type arm struct {
	*Evidence
	window Slice
}

func newArm(e *Evidence) arm {
	a := arm{Evidence: e}
	for i := range e.Slices {
		a.window.add(&e.Slices[i])
	}
	return a
}

// since returns what happened in the spans that reach back no further than age.
func (a arm) since(age time.Duration) (sum Slice) {
	for _, s := range a.timeline() {
		if s.age <= age {
			sum.add(&s.Slice)
		}
	}
	return sum
}

// onset returns the age of the span since which the canary exceeds what c allows by the most. Background failures
// before the trouble began do not move it, as a healthy time has less than the limit allows; nor does an earlier
// trouble, once enough requests in between kept the limit.
func (a arm) onset(c criterion, enough uint64) time.Duration {
	var age time.Duration
	var excess, most float64
	var healthy uint64
	for _, s := range a.timeline() {
		_, n := c.observed(s.Slice)
		healthy += n
		if excess += c.excess(s.Slice); excess > most {
			most, age, healthy = excess, s.age, 0
		}
		if most > 0 && healthy >= enough {
			break
		}
	}
	return age
}

// stopped reports whether an arm had no traffic in the window, or had some that has ended.
func (a arm) stopped() bool {
	if !a.window.active() {
		return true
	}
	if a.Slices[0].active() {
		return false // as nearly always; the rest is for when it is not
	}
	var seen uint64
	var quiet, reach time.Duration
	for _, s := range a.timeline() {
		switch {
		case s.active():
			seen, reach = seen+s.requests(), s.age
		case seen == 0:
			quiet = s.age
		}
	}
	expected := float64(seen) * quiet.Seconds() / (reach - quiet).Seconds()
	return quiet > settle && math.Exp(-expected) <= chance*chance
}

// trial is the two arms, whether the baseline can veto, and the number of requests that counts as enough.
type trial struct {
	canary, baseline arm
	least            uint64
	noBaseline       bool
}

// finding is a check and, if it is broken, what the baseline makes of it.
type finding struct {
	Check
	criterion
	state holdState
	onset time.Duration
	n     uint64 // the baseline's requests since the onset
}

// holdState says whether a broken limit holds, and why.
type holdState uint8

const (
	alone   holdState = iota // nothing holds it
	shared                   // the baseline breaks it too
	waiting                  // too little baseline to tell
)

// examine weighs one limit against both arms.
func (t trial) examine(c criterion) finding {
	f := finding{Check: c.check(t.canary.window), criterion: c}
	f.BaselineObserved, f.BaselineN = c.observed(t.baseline.window)
	if f.Broken && !t.noBaseline {
		f.onset = t.canary.onset(c, t.least)
		since := t.baseline.since(f.onset)
		_, f.n = c.observed(since)
		f.state = t.hold(c, f.onset, since)
	}
	return f
}

func (t trial) hold(c criterion, onset time.Duration, since Slice) holdState {
	for _, s := range []Slice{t.baseline.window, t.baseline.since(settle), since} {
		if c.excess(s) > 0 {
			return shared
		}
	}
	_, n := c.observed(since)
	switch {
	case n >= t.least || onset >= patience:
		return alone
	case onset < settle || c.alike(t.canary.since(onset), since):
		return waiting
	}
	return alone
}

// decide says what broken limits come to: one that nothing holds is enough to fail.
func (v *Verdict) decide(broken []finding) {
	worst := broken[0]
	for _, f := range broken[1:] {
		if f.state == alone && worst.state != alone || f.state == waiting && worst.state == shared {
			worst = f
		}
	}
	what := worst.describe(worst.Check)
	switch worst.state {
	case shared:
		v.SharedCause = true
		v.Reason = fmt.Sprintf("%s, but the baseline is over the same limit too: a shared cause, holding", what)
	case waiting:
		v.Waiting = true
		v.Reason = fmt.Sprintf("%s; the baseline had only %d requests since that began %s ago: waiting for more to tell a shared cause",
			what, worst.n, Duration(worst.onset))
	default:
		v.Result = Fail
		v.Reason = what + worst.besides(v.NoBaseline)
	}
}

// besides says how the baseline did where the canary failed.
func (f finding) besides(none bool) string {
	switch {
	case none:
		return "; no baseline traffic: a shared outage cannot be told apart"
	case f.BaselineN == 0:
		return "; the baseline has nothing to compare"
	case f.K == 0 && f.Max > 0:
		return fmt.Sprintf("; the baseline's is %s of %d", rounded(time.Duration(f.BaselineObserved*float64(time.Second))), f.BaselineN)
	}
	return fmt.Sprintf("; the baseline's share is %s of %d", percent(f.BaselineObserved), f.BaselineN)
}

// settleFor says what limits come to of which none is broken.
func (v *Verdict) settleFor(l Limits, canary Slice, kept []finding) {
	switch {
	case len(kept) == 0:
		v.Reason = "no limit is set"
	case !canary.active():
		v.Reason = fmt.Sprintf("no requests in %s", termsOf(l).Window)
	case canary.Judged < l.leastN():
		v.Reason = fmt.Sprintf("%d requests judged in %s, %d are needed", canary.Judged, termsOf(l).Window, l.leastN())
	default:
		v.Result = Pass
		words := make([]string, len(kept))
		for i, f := range kept {
			words[i] = f.describe(f.Check)
		}
		v.Reason = "no limit is broken: " + strings.Join(words, ", ")
	}
}
