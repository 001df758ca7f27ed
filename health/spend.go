package health

import "time"

// How alpha is spent: at the start, on the raises of the canary's share, and over the planned time.
const (
	startMass = 0.4
	raiseMass = 0.3
	timeMass  = 0.3
)

// Shift says that weights changed in a second: blocks do not reach across it. If the canary's share was raised, new users
// come, and a part of alpha is spent on them. What was said before is passed over.
func (j *Judge) Shift(second int64, raised bool) {
	if oldest := j.st.Shifts[len(j.st.Shifts)-1]; oldest.Set && second < oldest.Second {
		return
	}
	for _, s := range j.st.Shifts {
		if s.Set && s.Second == second {
			return
		}
	}
	raised = raised && j.st.OnTrial && int(j.st.Raises) < j.terms.Raises
	if raised {
		j.st.Raises++
	}
	copy(j.st.Shifts[1:], j.st.Shifts[:len(j.st.Shifts)-1])
	j.st.Shifts[0] = shift{Set: true, Second: second, Raised: raised}
	j.dirty = true
}

// shifted reports whether weights changed after from, at to or before it, or the canary began to count.
func (j *Judge) shifted(from, to int64) bool {
	if j.terms.Since != 0 && from <= j.terms.Since && to > j.terms.Since {
		return true
	}
	for _, s := range j.st.Shifts {
		if s.Set && s.Second > from && s.Second <= to {
			return true
		}
	}
	return false
}

// due returns what of alpha the first block after each raise has to spend. It is noted as spent.
func (j *Judge) due(a Age, start int64) (mass float64) {
	if !j.st.OnTrial {
		return 0
	}
	for i := range j.st.Shifts {
		s := &j.st.Shifts[i]
		if s.Raised && !s.Paid[a] && s.Second <= start {
			s.Paid[a] = true
			mass += raiseMass / float64(max(j.terms.Raises, 1))
		}
	}
	return mass
}

// first returns what of alpha a stream has to spend in its first block of the trial, which may come later than others', as
// the baseline's quantiles must be known. It is noted as spent.
func (j *Judge) first(s stream) (mass float64) {
	if j.st.Started[s] {
		return 0
	}
	j.st.Started[s] = true
	if j.terms.Raises == 0 {
		return startMass + raiseMass
	}
	return startMass
}

// planned is how long the rollout is planned to take.
func (j *Judge) planned() time.Duration {
	if j.terms.Settings == nil {
		return time.Duration(DefaultSettings().Duration)
	}
	return time.Duration(j.terms.Settings.Duration)
}
