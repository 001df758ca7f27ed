package rollout

import (
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// ProbeTime is how long a probe is planned to last beyond the age at which what is suspected shows: long enough for a
	// comparison that a bad canary cannot escape.
	ProbeTime = 13 * time.Second
	// probeShare is what stable has during a probe, unless that is more than half of what it and the canary have.
	probeShare = splitter.Full / 10
)

// Probe lends stable some of the canary's users, when a verdict fails the canary and stable has too little to compare it
// with: for [ProbeTime] longer than age, which requests must have for what is suspected to show. Those of the highest
// buckets go, and come back with [EndProbe]; a failback is possible meanwhile. It returns false, and no change, if there
// is nothing to lend, stable has enough, or a probe is running.
func Probe(prev *splitter.State, v health.Verdict, age time.Duration, by By, seed Seed) (Changed, bool, error) {
	w := prev.Weights()
	share := min(probeShare, (w[prev.Stable]+w[prev.Canary])/2)
	isRunning := prev.RunningProbe() != nil
	if v.Result != health.Fail || prev.Progress.Phase != splitter.PhaseTrial || isRunning || isKilledAlone(prev, prev.Stable) ||
		w[prev.Canary] == 0 || w[prev.Stable] >= share {
		return Changed{}, false, nil
	}
	by.Reason = v.Reason
	n := next(prev, KindProbe, by, seed)
	w[prev.Canary] -= share - w[prev.Stable]
	w[prev.Stable] = share
	var err error
	if n.Ranges, err = splitter.Reassign(prev.Ranges, prev.Canary, shares(w, nil)); err != nil {
		return Changed{}, false, fmt.Errorf("probe %q: %w", prev.Split, err)
	}
	n.Probe = &splitter.Probe{Epoch: n.Epoch, Since: seed.Now, Until: seed.Now.Add(age + ProbeTime), Why: v.Reason, Holds: share,
		Lent: splitter.Taken(prev.Ranges, n.Ranges, prev.Canary)}
	c, err := tellWhy(prev, n, Grounds{Verdict: v})
	return c, err == nil, err
}

// EndProbe gives the canary back what it lent stable for a probe that did not fail it; why says what was found. It returns
// false, and no change, if no probe is running: somebody else was first, changed the weights, or failed the canary back.
func EndProbe(prev *splitter.State, why string, by By, seed Seed) (Changed, bool, error) {
	if prev.RunningProbe() == nil {
		return Changed{}, false, nil
	}
	by.Reason = why
	n := next(prev, KindProbeEnded, by, seed)
	n.Ranges, n.Probe = repaid(prev), nil
	c, err := tell(prev, n)
	return c, err == nil, err
}

// repaid returns a State's ranges as they were without the probe that is running, if one is.
func repaid(s *splitter.State) []splitter.Range {
	probe := s.RunningProbe()
	if probe == nil {
		return s.Ranges
	}
	return splitter.Grant(s.Ranges, probe.Lent, s.Canary)
}
