package health

import (
	"fmt"
	"math"
	"time"
)

// defeat is how a trial ended that failed back.
type defeat struct {
	Set    bool
	Stream uint8
	At     int64 // the last second of the trial
	Share  float64
}

// How stable is looked at after a failback.
const (
	suspectFor   = 10 * time.Minute // for how long
	suspectLeast = 10               // from how many requests of the last minute on
	suspectShare = 0.5              // from which part of the canary's rate on it shows the same
)

// noteFailure remembers how the trial that ends now failed, if it did.
func (j *Judge) noteFailure() {
	a, _ := j.alarms()
	if a.log < math.Log(1/j.alpha()) {
		return
	}
	best := j.strongest(a, stream.compared)
	m := &j.st.Streams[best]
	j.st.Failed = defeat{Set: true, Stream: uint8(best), At: j.latest(), Share: m.Recent[Canary].share()}
}

// strongest returns the stream that has most of an alarm, of those that are asked for.
func (j *Judge) strongest(a alarm, among func(stream) bool) stream {
	best, most := streamFast, -1.0
	for s := range stream(numStreams) {
		if age, ok := j.ageOf(s); ok && age == a.age && among(s) {
			if e := j.evidenceOf(s, a); e > most {
				best, most = s, e
			}
		}
	}
	return best
}

// Suspicion says, after a failback, if stable shows now what the canary was failed back for: then it was a shared cause that
// hit the canary first. It looks for ten minutes, and needs the baseline's past.
func (j *Judge) Suspicion() (why string, ok bool) {
	f := j.st.Failed
	if !f.Set || j.st.OnTrial || j.since(f.At) > suspectFor {
		return "", false
	}
	m := &j.st.Streams[f.Stream]
	now := m.Recent[Baseline]
	if m.Rise[Baseline] < sharedNats || now.N < suspectLeast || now.share() < suspectShare*f.Share {
		return "", false
	}
	return fmt.Sprintf("%s: stable has %s of %s lately, the canary had %s when it was failed back: shared cause suspected",
		stream(f.Stream), percent(round2(now.share())), count(now.N), percent(round2(f.Share))), true
}
