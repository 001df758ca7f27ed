package health

import "time"

// Lead is what speaks most against a canary, in the numbers that a probe is begun and ended by.
type Lead struct {
	// Stream is what is looked at, as in [StreamVerdict]: compared with the baseline or held against a limit.
	Stream string
	// Age is how old requests are when they count in it.
	Age time.Duration
	// IsSlow says that what is bad of it is slow, and may be well otherwise.
	IsSlow bool
	// Now is the canary's rate of the last seconds; of the last minute if that is too few requests to say.
	Now Rate
	// Canary and Baseline are the rates of what arrived since the last probe began; none if there was none.
	Canary, Baseline Rate
	// Past is the baseline's rate of the last hour in which it had requests.
	Past Rate
}

// leadLeast is how many requests say what the canary's rate is now.
const leadLeast = 10

// Lead returns what speaks most against the canary.
func (j *Judge) Lead() Lead {
	a, _ := j.alarms()
	s := j.strongest(a, func(stream) bool { return true })
	lead := Lead{Stream: s.String(), Age: a.age.Span(), IsSlow: s.isSlow()}
	if s == limitMean { // which counts no bad ones
		return lead
	}
	m := &j.st.Streams[s]
	now := m.Brief
	if now.N < leadLeast {
		now = m.Recent[Canary]
	}
	lead.Now, lead.Canary, lead.Baseline, lead.Past = Rate(now), Rate(m.Probe[Canary]), Rate(m.Probe[Baseline]), Rate(m.Slow)
	return lead
}

// Probe says that a probe began in a second: what arrives from then on is counted apart, see [Lead]. Said again, it changes
// nothing.
func (j *Judge) Probe(second int64) {
	if !j.st.OnTrial || j.st.ProbeAt == second {
		return
	}
	j.st.ProbeAt = second
	for s := range j.st.Streams {
		j.st.Streams[s].Probe = [NumArms]rate{}
	}
	j.dirty = true
}

// noteProbe adds a block to what a probe is judged by.
func (j *Judge) noteProbe(s stream, t *totals, b *block) {
	if !j.st.OnTrial {
		return
	}
	m := &j.st.Streams[s]
	m.Brief.decay(halved(b.length, briefHalf))
	m.Brief.add(t.n[Canary], t.k[Canary])
	if j.st.ProbeAt == 0 || b.began < j.st.ProbeAt {
		return
	}
	for arm := range NumArms {
		m.Probe[arm].add(t.n[arm], t.k[arm])
	}
}
