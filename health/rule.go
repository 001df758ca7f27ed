package health

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// sharedNats is from which rise over the baseline's past, of both arms, a cause counts as shared; see noteRise.
const sharedNats = 4

// idleAfter is after how many seconds without a request the canary counts as having no traffic.
const idleAfter = 60

// Verdict says what the evidence comes to by now.
func (j *Judge) Verdict() Verdict {
	if !j.st.OnTrial {
		return Verdict{Threshold: 1 / j.alpha(), Reason: "no canary is on trial"}
	}
	a, loudest := j.alarms()
	v := Verdict{
		Evidence: finite(math.Exp(a.log)), Threshold: 1 / j.alpha(), NoBaseline: j.silent(), FewUsers: j.fewUsers(),
	}
	v.Toward = min(max(a.log/math.Log(v.Threshold), 0), 1)
	v.lead(j.streams(a))
	j.rule(&v, a, loudest)
	return v
}

// lead takes over the numbers per stream, the strongest first.
func (v *Verdict) lead(streams []StreamVerdict) {
	v.Streams = streams
	v.Stream = v.leading().Stream
}

// heldBelow is how far evidence may be on its way to the alarm without one user, for that user to be what holds it. On the
// way of any failing canary there is a moment in which one user's requests are all that is missing.
const heldBelow = 0.5

// rule decides, the worst first.
func (j *Judge) rule(v *Verdict, a, loudest alarm) {
	threshold := math.Log(v.Threshold)
	shared, isSlow := j.shared()
	switch {
	case a.log >= threshold:
		if v.FewUsers == nil && a.least < heldBelow*threshold && j.st.Asking.isMostly(a.rests) { // few_users allows it
			v.FewUsers = j.st.Asking.restsOn(a.rests)
		}
		v.Result, v.Reason = Fail, failing(v)
	case loudest.all >= threshold && loudest.log < heldBelow*threshold && j.st.Asking.isMostly(loudest.left):
		v.FewUsers = j.st.Asking.restsOn(loudest.left)
		v.FewUsers.Held = true
		loudest.left = userGroups
		v.lead(j.streams(loudest))
		v.Reason = v.heldByFew(j.terms.Settings != nil)
	case shared != "":
		v.SharedCause, v.SharedSlow, v.Reason = true, isSlow, shared
	default:
		v.weighCalm(j)
	}
}

// weighCalm says what a canary comes to against which there is too little evidence.
func (v *Verdict) weighCalm(j *Judge) {
	judged := j.judged()
	switch idle := j.idle(); {
	case len(v.Streams) == 0:
		v.Reason = "nothing is compared and no limit is set: nothing can fail back"
	case judged == 0 && j.unweighed() == 0:
		v.Reason = "no request of the canary yet" + after(j.since(j.st.BeganAt))
	case idle >= idleAfter*time.Second:
		v.Reason = "no request of the canary for " + Duration(idle).String()
	case judged < float64(j.least()):
		v.Reason = tooFew(judged, j.least())
	case v.NoBaseline:
		v.Reason = "no traffic on stable: nothing to compare with, and a shared outage cannot be told apart"
	case v.FewUsers != nil && j.onFewUsers() == FewUsersHold:
		v.Reason = v.FewUsers.String() + ", holding"
	case v.muffle(j):
	case v.Evidence < 1:
		v.Result, v.Reason = Pass, passing(v)
	default:
		v.Reason = mounting(v)
	}
}

// muffle says what would have failed the canary back if stable had not burst itself; false if nothing would.
func (v *Verdict) muffle(j *Judge) bool {
	s, ok := j.muffled()
	if ok {
		v.Reason = muffling(j.streamVerdict(s, 0), v.Toward)
	}
	return ok
}

// judged is how many of the canary's requests have been weighed.
func (j *Judge) judged() (most float64) {
	for s := range stream(numStreams) {
		most = max(most, j.st.Streams[s].Trial[Canary].N)
	}
	return most
}

// unweighed is how many of the canary's requests are in a block that is open yet: whether they failed is not weighed.
func (j *Judge) unweighed() float64 {
	if b := &j.open[AgeFast]; b.opened {
		return b.n[Canary]
	}
	return 0
}

// latest returns the last second that was folded.
func (j *Judge) latest() (at int64) {
	at = slices.Max(j.st.Folded[:])
	for a := range j.open {
		if j.open[a].opened {
			at = max(at, j.open[a].last)
		}
	}
	return at
}

func (j *Judge) since(second int64) time.Duration {
	if second == 0 {
		return 0
	}
	return time.Duration(j.latest()-second) * time.Second
}

// idle returns how long the canary has had no request.
func (j *Judge) idle() time.Duration {
	last := j.st.CanaryAt
	for a := range j.open {
		if j.open[a].opened {
			last = max(last, j.open[a].canaryAt)
		}
	}
	return j.since(last)
}

// silent reports whether the baseline has had no request for so long that there is none.
func (j *Judge) silent() bool { return j.isQuiet(AgeFast) }

// shared finds what hits both arms, and says it in a sentence, which is empty if nothing does; isSlow says that no failures
// are part of it.
func (j *Judge) shared() (reason string, isSlow bool) {
	var worst StreamVerdict
	var most float64
	found, fails := false, false
	for s := range stream(numStreams) {
		age, counts := j.ageOf(s)
		m := &j.st.Streams[s]
		if !counts || age == AgeMinute {
			continue
		}
		rise := min(m.Rise[Canary], m.Rise[Baseline])
		rises, breaks := rise >= sharedNats, j.breaks(s)
		if rises && rise > most {
			worst, most = j.streamVerdict(s, 0), rise
		}
		if breaks && most == 0 {
			worst = j.streamVerdict(s, 0)
		}
		if rises || breaks {
			found, fails = true, fails || s.isFailure()
		}
	}
	switch {
	case !found:
		return "", false
	case most > 0:
		past := j.st.Streams[streamOf(worst.Stream)].Slow.share()
		return sharedWith(worst, past), !fails
	}
	return sharedLimit(worst), !fails
}

// breaks reports whether the canary is over a limit that the baseline vetoes.
func (j *Judge) breaks(s stream) bool {
	if s.compared() || s == limitMean {
		return false
	}
	m := &j.st.Streams[s]
	return m.Recent[Canary].N >= float64(j.least()) && m.Recent[Canary].share() > j.limits[s].limit && j.vetoed(s, &totals{})
}

// streams returns the numbers of every stream that counts, one for each name, the strongest first.
func (j *Judge) streams(a alarm) (list []StreamVerdict) {
	for s := range stream(numStreams) {
		if _, ok := j.ageOf(s); !ok {
			continue
		}
		mine := j.streamVerdict(s, finite(j.evidenceOf(s, a)))
		i := slices.IndexFunc(list, func(v StreamVerdict) bool { return v.Stream == mine.Stream })
		switch {
		case i < 0:
			list = append(list, mine)
		case mine.Evidence > list[i].Evidence || list[i].Canary.N == 0:
			list[i] = mine
		}
	}
	slices.SortStableFunc(list, func(x, y StreamVerdict) int { return cmp.Compare(y.Evidence, x.Evidence) })
	return list
}

func (j *Judge) streamVerdict(s stream, evidence float64) StreamVerdict {
	m := &j.st.Streams[s]
	v := StreamVerdict{Stream: s.String(), Evidence: evidence,
		Canary: Rate(m.Trial[Canary]), Baseline: Rate(m.Trial[Baseline]),
		CanaryLately: Rate(m.Recent[Canary]), BaselineLately: Rate(m.Recent[Baseline])}
	switch {
	case s == limitMean: // which counts no bad ones
		for _, r := range []*Rate{&v.Canary, &v.Baseline, &v.CanaryLately, &v.BaselineLately} {
			r.K = 0
		}
		v.Slow = j.terms.Limits.MaxMeanLatency
	case s == limitLatency || s == limitTTFT:
		v.Slow, v.Limit = Duration(BucketStart(j.limits[s].from)), j.limits[s].limit
	case !s.compared():
		v.Limit = j.limits[s].limit
	case s.isTime():
		v.Slow = Duration(BucketStart(int(j.st.Quantile[s-streamLatency75].From)))
	}
	return v
}

// finite keeps what is written as JSON a number.
func finite(x float64) float64 { return min(x, math.MaxFloat32) }
