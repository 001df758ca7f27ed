package health

import (
	"testing"
	"time"
)

// One user of stable, of whom five requests in ten seconds count, hides no regression of the canary.
func TestOneUserOfStableHidesNothing(t *testing.T) {
	stable := healthy(47.5)
	stable.oneRPS, stable.oneBad = 0.5, 1
	p := warmed(1, trial(1), time.Hour, stable)
	p.judge.Begin(trial(1))
	if after, ok := p.until(10*time.Minute, stable, withFails(healthy(2.5), 0.08), failed); !ok {
		t.Errorf("after %s: %s", after, p.judge.Verdict().Reason)
	}
}

// That one user of stable failed for a while is no burst: nor does one user fail a canary.
func TestOneUserOfStableIsNoBurst(t *testing.T) {
	p := begun(1, healthy(2))
	script := healthy(2)
	script.oneRPS, script.oneBad = 0.5, 1
	p.run(10*time.Minute, script, healthy(2))
	if burst := p.judge.st.Streams[streamFast].Burst; burst != 0 {
		t.Errorf("burst of %g nats", burst)
	}
	p.run(time.Hour, healthy(2), healthy(2))
	if after, ok := p.until(20*time.Minute, healthy(2), withFails(healthy(2), 0.1), failed); !ok {
		t.Errorf("after %s: %s", after, p.judge.Verdict().Reason)
	}
}

// A baseline that always behaves the same has no bursts, though its quantiles are looked at anew; nor has one that slows
// down and becomes faster over hours.
func TestQuantilesLookedAtAnewAreNoBursts(t *testing.T) {
	for _, swing := range []float64{1, 2} {
		p := newPlay(1, trial(1))
		for minute := range 8 * 60 {
			d := healthy(5)
			up := float64(min(minute%240, 240-minute%240)) / 120 // from 0 to 1 and back in four hours
			d.ttfb = time.Duration(float64(d.ttfb) * (1 + (swing-1)*up))
			d.took = time.Duration(float64(d.took) * (1 + (swing-1)*up))
			p.run(time.Minute, d, doing{})
			for s := streamLatency75; s <= streamTTFB95; s++ {
				if burst := p.judge.st.Streams[s].Burst; burst != 0 {
					t.Fatalf("swing %g, minute %d: %s: burst of %g nats", swing, minute, s, burst)
				}
			}
		}
	}
}

// Bursts that nobody follows any more, as the comparison is off, do not weaken limits for ever.
func TestLimitsAloneKnowNoBursts(t *testing.T) {
	p := begun(1, healthy(2))
	p.run(10*time.Minute, healthy(2), healthy(2))
	p.run(2*time.Minute, withFails(healthy(2), 0.8), healthy(2))
	if p.judge.st.Streams[streamFast].Burst == 0 {
		t.Fatal("stable has not burst")
	}
	alone := limited(DefaultLimits(), false)
	alone.Epoch = 2
	p.judge.Begin(alone)
	p.run(10*time.Minute, healthy(2), healthy(2))
	if trust := p.judge.trust(limitFast); trust != 1 {
		t.Errorf("a limit is trusted by %g, want 1", trust)
	}
}
