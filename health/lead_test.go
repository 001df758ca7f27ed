package health

import (
	"testing"
	"time"
)

// What a probe is decided by is what arrived since it began, also for whoever takes over.
func TestLeadCountsAProbeApart(t *testing.T) {
	p := warmed(1, trial(1), 5*time.Minute, healthy(40))
	p.judge.Begin(trial(1))
	p.run(2*time.Minute, healthy(40), healthy(40))
	p.run(90*time.Second, doing{}, healthy(40))
	if got := p.judge.Lead(); got.Baseline.N > 0 || got.Canary.N > 0 {
		t.Errorf("before any probe: got %+v, want none of one", got)
	}
	p.run(10*time.Second, doing{}, withFails(healthy(40), 0.3))
	if got := p.judge.Lead(); got.Stream != "errors" || got.Now.Share() < 0.2 || got.Now.Share() > 0.45 {
		t.Errorf("failing: got %+v, want about 30%% errors now", got)
	}
	p.judge.Shift(p.at, false)
	p.judge.Probe(p.at)
	p.run(8*time.Second, withFails(healthy(8), 0.3), withFails(healthy(40), 0.3))
	doc, err := p.judge.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	next := NewJudge()
	if err := next.UnmarshalBinary(doc); err != nil {
		t.Fatal(err)
	}
	next.Begin(trial(1))
	next.Probe(p.judge.st.ProbeAt)
	got := next.Lead()
	if got != p.judge.Lead() {
		t.Errorf("taken over: got %+v, want %+v", got, p.judge.Lead())
	}
	if n := got.Baseline.N; n < 20 || n > 60 || got.Baseline.Share() < 0.1 || got.Canary.Share() < 0.2 {
		t.Errorf("in the probe: got %+v, want its 8 s alone, with 30%% errors on both", got)
	}
	p.judge.Probe(p.at + 100)
	if got := p.judge.Lead(); got.Baseline.N > 0 {
		t.Errorf("another probe: got %+v, want it to begin with nothing", got)
	}
}

// Most of a canary's requests failing shows at once, though the minute before was well.
func TestLeadSeesWhatIsNow(t *testing.T) {
	p := warmed(2, trial(1), 5*time.Minute, healthy(40))
	p.judge.Begin(trial(1))
	p.run(2*time.Minute, healthy(40), healthy(40))
	p.run(7*time.Second, healthy(40), withFails(healthy(40), 1))
	if got := p.judge.Lead(); got.Now.Share() < 0.5 {
		t.Errorf("got %+v, want more than half now", got)
	}
}
