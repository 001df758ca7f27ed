package health

import (
	"math"
	"slices"
)

// alarm is how far one age's evidence is.
type alarm struct {
	age  Age
	log  float64 // of the evidence against the canary, with the group left out without which it is weakest
	all  float64 // the same with nobody left out
	left int     // that group
	// least is log if users count one by one, and rests the group left out for that, whatever few_users says.
	least float64
	rests int
}

// alarmOf adds up an age's bets. Evidence of different ages is not added: each is an e-process of its own, and alpha is
// divided among them by the weights of their bets. How far a stream's evidence is trusted, trust says.
func (j *Judge) alarmOf(a Age, trust func(stream) float64) alarm {
	var weights [numComponents]float64
	for c := range components {
		if age, ok := j.ageOf(components[c].stream); ok && age == a {
			weights[c] = trust(components[c].stream)
		}
	}
	out := alarm{age: a, log: math.Inf(1)}
	for g := range j.st.Evidence {
		var sum float64
		for c := range components {
			sum += float64(j.st.Evidence[g][c]) * weights[c]
		}
		z := math.Log(sum)
		if g == userGroups {
			out.all = z
		} else if z < out.log {
			out.log, out.left = z, g
		}
	}
	out.least, out.rests = out.log, out.left
	if j.onFewUsers() == FewUsersFailback {
		out.log, out.left = out.all, userGroups
	}
	return out
}

// trust returns what a stream's evidence is multiplied by: less the more the baseline itself has burst lately, and nothing
// for a limit before there were enough requests.
func (j *Judge) trust(s stream) float64 {
	if !s.compared() && j.st.Streams[s].Trial[Canary].N < float64(j.least()) {
		return 0
	}
	if _, ok := j.ageOf(s.kin()); !ok {
		return 1 // nobody follows how it bursts
	}
	return math.Exp(-2 * j.st.Streams[s.kin()].Burst)
}

// least returns how many requests of the canary are enough for a limit, and for a canary to pass.
func (j *Judge) least() int {
	if j.terms.Limits == nil || j.terms.Limits.MinRequests < 1 {
		return DefaultLimits().MinRequests
	}
	return j.terms.Limits.MinRequests
}

func (j *Judge) onFewUsers() OnFewUsers {
	if j.terms.Settings == nil {
		return FewUsersHold
	}
	return j.terms.Settings.FewUsers
}

// alpha is what this judge may spend.
func (j *Judge) alpha() float64 {
	alpha := DefaultSettings().Alpha
	if j.terms.Settings != nil {
		alpha = j.terms.Settings.Alpha
	}
	return alpha / float64(max(j.terms.Instances, 1))
}

// alarms returns the alarm that is nearest, and the one that would be if nobody were left out.
func (j *Judge) alarms() (nearest, loudest alarm) {
	nearest = j.alarmOf(AgeFast, j.trust)
	loudest = nearest
	for a := AgeFast + 1; a < NumAges; a++ {
		x := j.alarmOf(a, j.trust)
		if x.log > nearest.log {
			nearest = x
		}
		if x.all > loudest.all {
			loudest = x
		}
	}
	return nearest, loudest
}

// muffled returns the stream that would have failed the canary back if stable had not burst itself; false if none would.
func (j *Judge) muffled() (worst stream, ok bool) {
	if !slices.ContainsFunc(j.st.Streams[:], func(m memory) bool { return m.Burst > 0 }) {
		return 0, false
	}
	bare := func(s stream) float64 {
		if s.compared() {
			return 1
		}
		return j.trust(s)
	}
	for a := range Age(NumAges) {
		x := j.alarmOf(a, bare)
		if x.log < -math.Log(j.alpha()) {
			continue
		}
		var most float32
		for c := range components {
			s := components[c].stream
			if age, counts := j.ageOf(s); s.compared() && counts && age == a && j.st.Evidence[x.left][c] > most {
				worst, most, ok = s, j.st.Evidence[x.left][c], true
			}
		}
	}
	return worst, ok
}

// evidenceOf returns a stream's part of an alarm.
func (j *Judge) evidenceOf(s stream, a alarm) (sum float64) {
	for c := range components {
		if components[c].stream == s {
			sum += float64(j.st.Evidence[a.left][c])
		}
	}
	return sum * j.trust(s)
}
