package health

import (
	"testing"
	"time"
)

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
