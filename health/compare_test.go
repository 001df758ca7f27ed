package health

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// withFails returns what an arm does when a share of its requests fails.
func withFails(d doing, share float64) doing {
	d.fails = share
	return d
}

// begun is a trial of the default terms after half an hour of a healthy baseline.
func begun(seed uint64, baseline doing) *play {
	p := warmed(seed, trial(1), 30*time.Minute, baseline)
	p.judge.Begin(trial(1))
	return p
}

func TestBadCanariesFail(t *testing.T) {
	good := healthy(20)
	canary := func(change func(d *doing)) doing {
		d := healthy(2)
		change(&d)
		return d
	}
	for _, tt := range []struct {
		name   string
		canary doing
		stream string
		within time.Duration // of the first request
	}{
		{"every request fails", canary(func(d *doing) { d.fails = 1 }), "errors", 15 * time.Second},
		{"one in five fails", canary(func(d *doing) { d.fails = 0.2 }), "errors", time.Minute},
		{"one in thirty fails", canary(func(d *doing) { d.fails = 0.035 }), "errors", 30 * time.Minute},
		{"answers take three times as long", canary(func(d *doing) { d.took *= 3 }), "latency", 2 * time.Minute},
		{"first bytes take three times as long", canary(func(d *doing) { d.ttfb *= 3 }), "ttfb", 2 * time.Minute},
		{"it hangs", canary(func(d *doing) { d.hangs = true }), "", time.Minute},
		{"clients leave", canary(func(d *doing) { d.leaves = 0.3 }), "", 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := begun(1, good)
			after, ok := p.until(tt.within, good, tt.canary, failed)
			v := p.judge.Verdict()
			if !ok || !strings.HasPrefix(v.Stream, tt.stream) {
				t.Fatalf("after %s: %s by %q (%s), want a failure by %s", after, v.Result, v.Stream, v.Reason, tt.stream)
			}
			t.Logf("after %s: %s", after, v.Reason)
			// Evidence once reached is kept while the canary has no requests.
			p.run(10*time.Minute, good, doing{})
			if v := p.judge.Verdict(); v.Result == Pass {
				t.Errorf("ten minutes later it passes: %s", v.Reason)
			}
		})
	}
}

// Where answers take a minute nothing but the first bytes, or that streams break off, tells a bad canary soon.
func TestBadCanariesOfLongAnswersFail(t *testing.T) {
	long := healthy(20)
	long.took = time.Minute
	hanging, breaking := long, long
	hanging.rps, hanging.hangs = 2, true
	breaking.rps, breaking.breaks = 2, 0.5
	for _, tt := range []struct {
		name   string
		canary doing
		stream string
		within time.Duration
	}{
		{"it hangs", hanging, "ttfb", 30 * time.Second},
		{"half of the streams break off", breaking, "aborted", 4 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := begun(1, long)
			after, ok := p.until(tt.within, long, tt.canary, failed)
			if v := p.judge.Verdict(); !ok || !strings.HasPrefix(v.Stream, tt.stream) {
				t.Fatalf("after %s: %s by %q (%s), want a failure by %s", after, v.Result, v.Stream, v.Reason, tt.stream)
			}
		})
	}
}

func TestHealthyCanariesPass(t *testing.T) {
	for _, share := range []float64{0.1, 1, 19} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			good := healthy(2)
			p := begun(2, good)
			failing, ok := p.until(20*time.Minute, good, healthy(2*share), failed)
			v := p.judge.Verdict()
			if ok || v.Result != Pass {
				t.Fatalf("after %s: %s (%s), want pass", failing, v.Result, v.Reason)
			}
		})
	}
}

// What hits both arms alike is not the canary's fault, whatever the limits say; and it is said soon.
func TestSharedOutagesNeverFail(t *testing.T) {
	for _, share := range []float64{1, 0.6} {
		for _, every := range []bool{false, true} {
			t.Run(fmt.Sprintf("%g of all requests, every limit %t", share, every), func(t *testing.T) {
				terms := trial(1)
				if every {
					limits := everyLimit()
					terms.Limits = &limits
				}
				baseline, canary := healthy(47.5), healthy(2.5)
				p := warmed(4, terms, 10*time.Minute, baseline)
				p.judge.Begin(terms)
				p.run(5*time.Minute, baseline, canary)
				baseline.fails, canary.fails = share, share
				said := time.Duration(0)
				for i := range 600 {
					p.second(baseline, canary)
					v := p.judge.Verdict()
					if v.Result != Inconclusive && v.Result != Pass {
						t.Fatalf("%d s into the outage: %s: %s", i+1, v.Result, v.Reason)
					}
					if v.SharedCause && said == 0 {
						said = time.Duration(i+1) * time.Second
					}
					if said > 0 && (!v.SharedCause || v.Result == Pass) {
						t.Fatalf("%d s into the outage it is not shared any more: %s", i+1, v.Reason)
					}
				}
				if said == 0 || said > 30*time.Second {
					t.Errorf("said after %s that it is shared, want within 30 s", said)
				}
				_, over := p.until(10*time.Minute, healthy(47.5), healthy(2.5), func(v Verdict) bool { return !v.SharedCause })
				if !over {
					t.Error("ten minutes after the outage it is still called shared")
				}
			})
		}
	}
}

// What both arms show of a shared cause is told apart: only where requests fail do both fail.
func TestSharedCausesAreToldApart(t *testing.T) {
	for name, tt := range map[string]struct {
		worse func(*doing)
		slow  bool
	}{
		"failures, and slow": {func(d *doing) { d.fails, d.ttfb, d.took = 0.6, 4*d.ttfb, 4*d.took }, false},
		"slow":               {func(d *doing) { d.fails, d.ttfb, d.took = 0, 4*d.ttfb, 4*d.took }, true},
		"given up":           {func(d *doing) { d.fails, d.leaves = 0, 0.4 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			baseline, canary := healthy(47.5), healthy(2.5)
			p := begun(4, baseline)
			p.run(5*time.Minute, baseline, canary)
			if v := p.judge.Verdict(); v.SharedCause || v.SharedSlow {
				t.Fatalf("shared before it: %s", v.Reason)
			}
			tt.worse(&baseline)
			tt.worse(&canary)
			p.run(3*time.Minute, baseline, canary)
			if v := p.judge.Verdict(); !v.SharedCause || v.SharedSlow != tt.slow {
				t.Errorf("got shared %t, slow %t, want slow %t: %s", v.SharedCause, v.SharedSlow, tt.slow, v.Reason)
			}
		})
	}
}

// One user never condemns a version, whatever they do and for however long.
func TestOneUserNeverFailsACanary(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("alone %t", alone), func(t *testing.T) {
			p := begun(5, healthy(20))
			canary := healthy(2)
			if alone {
				canary.rps = 0
			}
			canary.oneRPS, canary.oneBad = 1, 1
			if after, ok := p.until(40*time.Minute, healthy(20), canary, failed); ok {
				t.Fatalf("failed after %s: %s", after, p.judge.Verdict().Reason)
			}
			v := p.judge.Verdict()
			if v.Result != Inconclusive || v.FewUsers == nil || !v.FewUsers.Held {
				t.Errorf("%s (%s), want it to be held for one user", v.Result, v.Reason)
			}
		})
	}
}

func TestOneUserFailsACanaryIfThatIsWanted(t *testing.T) {
	terms := trial(1)
	terms.Settings.FewUsers = FewUsersFailback
	p := warmed(5, terms, 10*time.Minute, healthy(20))
	p.judge.Begin(terms)
	canary := healthy(0)
	canary.oneRPS, canary.oneBad = 1, 1
	if after, ok := p.until(5*time.Minute, healthy(20), canary, failed); !ok {
		t.Errorf("after %s: %s, want a failure", after, p.judge.Verdict().Reason)
	}
}

// No data is never failure, and never a reason to pass.
func TestSilenceDecidesNothing(t *testing.T) {
	for name, arms := range map[string][2]doing{
		"both are silent":        {},
		"the canary is silent":   {Baseline: healthy(20)},
		"the baseline is silent": {Canary: healthy(5)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, known := range []bool{false, true} {
				p := newPlay(6, trial(1))
				if known {
					p = begun(6, healthy(20))
				} else {
					p.judge.Begin(trial(1))
				}
				for range 1200 {
					p.second(arms[Baseline], arms[Canary])
					if v := p.judge.Verdict(); v.Result == Fail || v.Result == Pass && arms[Canary].rps == 0 {
						t.Fatalf("known %t: %s: %s", known, v.Result, v.Reason)
					}
				}
			}
		})
	}
}

// While stable is silent the canary is held against what stable was.
func TestCanaryWithoutABaselineIsHeldAgainstItsPast(t *testing.T) {
	p := begun(6, healthy(20))
	p.run(2*time.Minute, doing{}, healthy(5))
	after, ok := p.until(2*time.Minute, doing{}, withFails(healthy(5), 0.5), failed)
	if v := p.judge.Verdict(); !ok || !v.NoBaseline {
		t.Errorf("after %s: %s, no baseline %t (%s); want a failure without one", after, v.Result, v.NoBaseline, v.Reason)
	}
}

// Between trials only the baseline is learnt; a new trial knows it, and nothing of the one before.
func TestATrialForgetsTheOneBefore(t *testing.T) {
	p := begun(7, healthy(20))
	if _, ok := p.until(time.Minute, healthy(20), withFails(healthy(5), 1), failed); !ok {
		t.Fatal("a canary that always fails was not failed")
	}
	bad := p.judge.st
	p.judge.Rest(trial(0))
	if v := p.judge.Verdict(); v.Result != Inconclusive || p.judge.st.OnTrial {
		t.Errorf("between trials: %s (%s), want inconclusive", v.Result, v.Reason)
	}
	if p.judge.st.Streams[streamFast].Slow != bad.Streams[streamFast].Slow && p.judge.st.Streams[streamFast].Slow.N < bad.Streams[streamFast].Slow.N {
		t.Error("what is known of the baseline was lost at the end of the trial")
	}
	p.run(2*time.Minute, healthy(20), doing{})
	before := p.judge.st
	p.judge.Begin(trial(2))
	st := &p.judge.st
	if st.Evidence != ([userGroups + 1][numComponents]float32{}) || st.Asking != (groupRates{}) || st.Started != ([numStreams]bool{}) {
		t.Error("a new trial begins with evidence of the one before")
	}
	for s := range st.Streams {
		m := &st.Streams[s]
		if m.Trial != ([NumArms]rate{}) || m.Recent[Canary] != (rate{}) || m.Rise[Canary] != 0 {
			t.Errorf("stream %d: a new trial remembers the canary of the one before: %+v", s, m)
		}
	}
	for s := range numCompared {
		if st.Streams[s].Slow.N < before.Streams[s].Slow.N {
			t.Errorf("stream %d: the history of the baseline was lost", s)
		}
	}
	if st.Quantile != before.Quantile {
		t.Error("the baseline's quantiles were lost")
	}
	p.run(5*time.Minute, healthy(20), healthy(5))
	if v := p.judge.Verdict(); v.Result != Pass {
		t.Errorf("a healthy canary after a bad one: %s (%s), want pass", v.Result, v.Reason)
	}
}

// The evidence without a group is that of the same blocks without its requests.
func TestEvidenceWithoutAGroup(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	settings := DefaultSettings()
	limits := everyLimit()
	terms := Trial{Epoch: 1, Settings: &settings, Limits: &limits}
	sum := new(Second)
	for arm := range sum.Arms {
		for g := range userGroups {
			n := uint32(1 + r.IntN(12)) // more kinds of groups than are kept at hand
			sum.Arms[arm][AgeFast][g] = Cell{N: n, Failed: uint32(r.IntN(int(n)))}
		}
	}
	without := func(group int) *Judge {
		s := *sum
		if group < userGroups {
			s.Arms[Canary][AgeFast][group] = Cell{}
		}
		j := NewJudge()
		j.Begin(terms)
		for second := range int64(8) {
			j.Fold(1+second*2, minBlock, &s)
		}
		return j
	}
	all := without(userGroups)
	for g := range userGroups {
		alone := without(g)
		for c := range components {
			got, want := all.st.Evidence[g][c], alone.st.Evidence[userGroups][c]
			if components[c].stream == limitFast && got != want { // whose bets do not depend on how many requests there are
				t.Fatalf("bet %d without group %d: evidence %g, want %g", c, g, got, want)
			}
		}
	}
	// Bets that compare are placed for all requests: here by hand, for the first block.
	first := NewJudge()
	first.Begin(terms)
	first.Fold(1, minBlock, sum)
	var total totals
	for arm := range sum.Arms {
		for _, c := range sum.Arms[arm][AgeFast] {
			total.n[arm] += float64(c.N)
			total.k[arm] += float64(c.Failed)
		}
	}
	mass := startMass + raiseMass + timeMass*minBlock.Seconds()/time.Duration(settings.Duration).Seconds()
	for c := range components {
		if components[c].stream != streamFast {
			continue
		}
		b := newBet(harmless{settings.Ratio, settings.Margin}, 0.5/20, components[c].shift, total.n[Baseline], total.n[Canary])
		for g := range userGroups + 1 {
			n, k := total.n[Canary], total.k[Canary]
			if g < userGroups {
				n, k = n-float64(sum.Arms[Canary][AgeFast][g].N), k-float64(sum.Arms[Canary][AgeFast][g].Failed)
			}
			want := mass * components[c].weight * math.Exp(min(b.log(total.n[Baseline], total.k[Baseline], n, k), maxNats))
			if got := float64(first.st.Evidence[g][c]); math.Abs(got-want) > 1e-6*want+1e-30 {
				t.Fatalf("bet %d without group %d: evidence %g, want %g", c, g, got, want)
			}
		}
	}
}

// A canary that is as bad as can be harmless is failed back in at most alpha of all rollouts; one beyond is in most.
func TestFalseAlarmsKeepToAlpha(t *testing.T) {
	const rollouts, blocks, requests = 400, 20, 40
	settings := DefaultSettings()
	settings.Alpha, settings.Duration = 0.2, Duration(blocks*minBlock)
	for _, tt := range []struct {
		name             string
		baseline, canary float64
		least, most      float64 // of all rollouts that may fail
	}{
		{"alike", 0.05, 0.05, 0, 0.2},
		{"at the edge", 0.05, 0.05*1.2 + 0.002, 0, 0.2},
		{"at the edge of often", 0.5, 0.5*1.2 + 0.002, 0, 0.2},
		{"beyond", 0.05, 0.3, 0.9, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(9, 9))
			sum := new(Second)
			count := 0
			for i := range rollouts {
				j := NewJudge()
				j.Begin(Trial{Epoch: uint64(i + 1), Settings: &settings})
				for b := range int64(blocks) {
					sum.Arms[Baseline][AgeFast] = bernoulli(r, requests, tt.baseline)
					sum.Arms[Canary][AgeFast] = bernoulli(r, requests/2, tt.canary)
					j.Fold(1+2*b, minBlock, sum)
					if j.alarmOf(AgeFast, j.trust).log >= math.Log(1/settings.Alpha) {
						count++
						break
					}
				}
			}
			share := float64(count) / rollouts
			slack := 4 * math.Sqrt(0.2*0.8/rollouts)
			t.Logf("%d of %d rollouts failed", count, rollouts)
			if share > tt.most+slack || share < tt.least-slack {
				t.Errorf("%.3f of all rollouts failed, want from %g to %g", share, tt.least, tt.most)
			}
		})
	}
}

// bernoulli is a cohort of independent requests.
func bernoulli(r *rand.Rand, n int, rate float64) (c Cohort) {
	for range n {
		g := r.IntN(userGroups)
		c[g].N++
		if r.Float64() < rate {
			c[g].Failed++
		}
	}
	return c
}

// A canary that fails for everybody is not called held for one user on its way.
func TestACanaryThatFailsForManyIsNotHeldForOne(t *testing.T) {
	for seed := range uint64(4) {
		p := begun(seed, healthy(20))
		canary := withFails(healthy(2), 0.06)
		_, ok := p.until(5*time.Minute, healthy(20), canary, func(v Verdict) bool {
			if v.FewUsers != nil && v.Toward >= heldBelow {
				t.Fatalf("seed %d, %d%% of the way: %s", seed, int(v.Toward*100), v.Reason)
			}
			return v.Result == Fail
		})
		if !ok {
			t.Fatalf("seed %d: not failed in 5 min: %s", seed, p.judge.Verdict().Reason)
		}
	}
}

// What is known of a stable that is another one now says nothing of the new one; over trials of one it is kept.
func TestAnotherStableIsMetAnew(t *testing.T) {
	settings := DefaultSettings()
	j := NewJudge()
	j.Rest(Trial{Stable: "blue 1", Settings: &settings})
	sum := new(Second)
	for a := range Age(NumAges) {
		sum.Arms[Baseline][a][7] = Cell{N: 50, Failed: 5}
	}
	for second := range int64(60) {
		j.Fold(second, time.Second, sum)
	}
	j.Begin(Trial{Epoch: 2, Stable: "blue 1", Settings: &settings})
	if got := j.st.Streams[streamFast].Slow.share(); math.Abs(got-0.1) > 1e-12 {
		t.Fatalf("of the same stable %g is known, want 0.1", got)
	}
	j.Begin(Trial{Epoch: 3, Stable: "green 2", Settings: &settings})
	if got := j.st.Streams[streamFast].Slow; got != (rate{}) || j.st.Groups[streamFast] != (groupRates{}) {
		t.Errorf("of another stable %+v is known, want nothing", got)
	}
}

// TestNothingPassesWithoutBaseline has a canary that does well and has everything: by limits alone it does not pass either,
// so that a plan that leaves stable nothing would never end.
func TestNothingPassesWithoutBaseline(t *testing.T) {
	for name, terms := range map[string]Trial{"compared": trial(1), "by limits alone": {Epoch: 1, Limits: trial(1).Limits}} {
		t.Run(name, func(t *testing.T) {
			p := warmed(1, terms, 10*time.Minute, healthy(20))
			p.judge.Begin(terms)
			p.run(10*time.Minute, healthy(10), healthy(10))
			if v := p.judge.Verdict(); v.Result != Pass {
				t.Fatalf("beside stable: %s (%s), want pass", v.Result, v.Reason)
			}
			p.run(20*time.Minute, doing{}, healthy(20))
			if v := p.judge.Verdict(); v.Result != Inconclusive || !v.NoBaseline {
				t.Errorf("without stable: %s (%s), want inconclusive without a baseline", v.Result, v.Reason)
			}
		})
	}
}

// A canary that counts since another second has a test of its own: what it did before speaks neither for nor against it,
// whoever takes up its state, and what it does then is found as fast as ever.
func TestARepairedCanaryIsJudgedAnew(t *testing.T) {
	stable := healthy(40)
	p := begun(5, stable)
	if _, ok := p.until(time.Minute, stable, withFails(stable, 0.5), failed); !ok {
		t.Fatal("a bad canary does not fail")
	}
	again := trial(1)
	again.Since = p.at
	p.judge.Begin(again)
	if v := p.judge.Verdict(); v.Result != Inconclusive || v.Streams[0].Canary.N > 0 {
		t.Errorf("got %+v, want one that knows of no request", v)
	}
	p.run(3*time.Second, stable, stable)
	doc, err := p.judge.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	p.judge = NewJudge()
	if err := p.judge.UnmarshalBinary(doc); err != nil {
		t.Fatal(err)
	}
	p.judge.Begin(again)
	if _, ok := p.until(5*time.Minute, stable, stable, failed); ok {
		t.Errorf("it fails for what it did before: %s", p.judge.Verdict().Reason)
	}
	if v := p.judge.Verdict(); v.Result != Pass || v.Streams[0].Canary.K > 0.02*v.Streams[0].Canary.N {
		t.Errorf("got %+v, want a pass by what came since", v)
	}
	again.Since = p.at
	p.judge.Begin(again)
	if took, ok := p.until(time.Minute, stable, withFails(stable, 0.5), failed); !ok || took > 12*time.Second {
		t.Errorf("one that was not repaired fails after %s: %v", took, ok)
	}
}

// Another version of stable in the middle of a trial is learnt anew. It acquits no canary, and condemns none.
func TestAnotherStableInATrial(t *testing.T) {
	good, bad := healthy(20), healthy(2)
	bad.fails = 0.5
	another := func(p *play, version int) {
		terms := trial(1)
		terms.Stable = fmt.Sprint("blue ", version)
		p.judge.Begin(terms)
	}
	t.Run("bad canary", func(t *testing.T) {
		p := begun(1, good)
		if _, ok := p.until(time.Minute, good, bad, failed); !ok {
			t.Fatal("it does not fail")
		}
		for version := range 5 {
			another(p, version)
			if after, passes := p.until(20*time.Second, good, bad, func(v Verdict) bool { return v.Result == Pass }); passes {
				t.Errorf("version %d: passes after %s: %s", version, after, p.judge.Verdict().Reason)
			}
		}
		if v := p.judge.Verdict(); v.Result != Fail {
			t.Errorf("got %s in the end: %s", v.Result, v.Reason)
		}
	})
	t.Run("canary that becomes bad", func(t *testing.T) {
		p := begun(1, good)
		p.run(10*time.Minute, good, healthy(2))
		another(p, 2)
		if _, ok := p.until(time.Minute, good, bad, failed); !ok {
			t.Errorf("it does not fail within a minute: %s", p.judge.Verdict().Reason)
		}
	})
	t.Run("harmless canary", func(t *testing.T) {
		p := begun(1, good)
		for version := range 20 {
			another(p, version)
			if after, fails := p.until(3*time.Minute, good, healthy(2), failed); fails {
				t.Fatalf("version %d fails it after %s: %s", version, after, p.judge.Verdict().Reason)
			}
		}
		if v := p.judge.Verdict(); v.Result != Pass {
			t.Errorf("got %s in the end: %s", v.Result, v.Reason)
		}
	})
}
