package rollout_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// traffic is what an instance serves in a second: requests, each of another user, and how many of them fail.
type traffic struct{ blue, blueFails, green, greenFails int }

var (
	// healthy is traffic of which now and then a request fails.
	healthy = traffic{blue: 30, green: 30}
	// broken is traffic whose canary fails.
	broken = traffic{blue: 30, green: 30, greenFails: 15}
	// outage is traffic of a provider that is down for both.
	outage = traffic{blue: 30, blueFails: 15, green: 30, greenFails: 15}
)

// serve lets traffic arrive for some seconds at each of the proxies.
func serve(seconds int, x traffic, fleet ...*proxy) {
	for range seconds {
		for _, p := range fleet {
			p.asked(0, x.blue, x.blueFails)
			p.asked(1, x.green, x.greenFails)
		}
		elapse(time.Second)
	}
}

// asked lets n users ask a variant, of whom the first fail.
func (p *proxy) asked(variant, n, fails int) {
	w := p.at.View().Windows[variant]
	for i := range n {
		f := health.Flight{Start: time.Now()}
		f.Arrive(w, (uint64(f.Start.UnixNano())+uint64(i)+1)*0x9e3779b97f4a7c15)
		o := fine
		if i < fails {
			o = ill
		}
		f.Record(f.Start, o)
	}
}

// strict is a definition whose canary is compared, and has no limit that it could reach before.
func strict(blue, green int, change ...func(*health.Settings)) rollout.Definition {
	def := comparing(splitter.Weight(blue), splitter.Weight(green), change...)
	def.Policy.Failback.MaxErrorRate = 0.95
	return def
}

// judgeOf returns what a store has of the judge.
func judgeOf(t *testing.T, s store.Store) store.JudgeState {
	t.Helper()
	state, err := s.LoadJudge(t.Context(), "assistant")
	if err != nil {
		t.Fatalf("LoadJudge: %v", err)
	}
	return state
}

// wantKinds fails the test unless these are the store's events.
func wantKinds(t *testing.T, s store.Store, want ...string) {
	t.Helper()
	if got := kinds(t, s); !cmp.Equal(got, want) {
		t.Errorf("events: got %v, want %v", got, want)
	}
}

// Whoever folds may go at any time: another one goes on within seconds, from the last closed block, and comes to the same
// numbers as if nothing had happened.
func TestTakeover(t *testing.T) {
	slight := traffic{blue: 20, blueFails: 1, green: 20, greenFails: 2}
	judgedWith := func(t *testing.T, goes func(p *proxy)) (v health.Verdict) {
		bubble(t, func(t *testing.T, s *embedded.Store) {
			first := start(t, s, "proxy-1", strict(50, 50))
			elapse(2 * time.Second)
			others := []*proxy{start(t, s, "proxy-2", strict(50, 50)), start(t, s, "proxy-3", strict(50, 50))}
			elapse(10 * time.Second)
			serve(21, slight, others...)
			if len(first.link.sealed()) == 0 {
				t.Fatal("the first proxy does not fold")
			}
			goes(first)
			version := judgeOf(t, s).Version
			serve(8, slight, others...)
			if got := judgeOf(t, s).Version; got <= version {
				t.Errorf("8 s later the judge is at version %d, as before", got)
			}
			serve(13, slight, others...)
			elapse(40 * time.Second)
			v = *others[0].status(t).Verdict
			if d := cmp.Diff(v, *others[1].status(t).Verdict); d != "" {
				t.Errorf("the others differ:\n%s", d)
			}
		})
		return v
	}
	want := judgedWith(t, func(*proxy) {})
	if want.Evidence < 0.1 || want.Result == health.Fail || want.Streams[0].Canary.N < 1600 {
		t.Fatalf("got %+v, want some evidence of all 1680 requests", want)
	}
	for name, goes := range map[string]func(p *proxy){
		"closed":  func(p *proxy) { p.close(t) },
		"cut off": func(p *proxy) { p.link.set(away) },
		"hangs":   func(p *proxy) { p.link.set(hung) },
	} {
		t.Run(name, func(t *testing.T) {
			got := judgedWith(t, goes)
			if off := math.Abs(got.Evidence/want.Evidence - 1); off > 1e-9 {
				t.Errorf("evidence: got %v, want %v", got.Evidence, want.Evidence)
			}
			if d := cmp.Diff(want.Streams[0], got.Streams[0]); d != "" {
				t.Errorf("numbers: -want +got:\n%s", d)
			}
		})
	}
}

// Seconds are judged without a member that is cut off, which is named; when it is back, it counts again.
func TestMissingMember(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := []*proxy{start(t, s, "proxy-1", strict(50, 50))}
		elapse(2 * time.Second)
		fleet = append(fleet, start(t, s, "proxy-2", strict(50, 50)), start(t, s, "proxy-3", strict(50, 50)))
		serve(10, healthy, fleet...)
		fleet[2].link.set(away)
		serve(7, healthy, fleet...)
		for _, p := range fleet[:2] {
			if st := p.status(t); st.JudgedInstances != 2 || !cmp.Equal(st.Missing, []string{"proxy-3"}) {
				t.Errorf("%s: judged %d instances without %v, want 2 without proxy-3", p.opts.Instance, st.JudgedInstances, st.Missing)
			}
		}
		for _, one := range fleet[0].link.sealed() {
			if one.after > 4500*time.Millisecond {
				t.Errorf("second %d: sealed %v after its end", one.Second, one.after)
			}
		}
		fleet[2].link.set(none)
		serve(15, healthy, fleet...)
		for _, p := range fleet {
			if st := p.status(t); st.JudgedInstances != 3 || len(st.Missing) > 0 || st.Late > 0 {
				t.Errorf("%s, back: judged %d instances without %v, %d late", p.opts.Instance, st.JudgedInstances, st.Missing, st.Late)
			}
		}
	})
}

// What comes too late is counted, and said to everybody; and whoever is always late judges alone.
func TestLateFrames(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, strict(50, 50))
		serve(15, healthy, fleet...)
		fleet[1].link.sets(func(l *link) { l.ahead = 20 * time.Second; l.jump = -20 * time.Second }) // frames are 20 s old
		serve(10, healthy, fleet...)
		if got := fleet[1].Split("assistant").LateFrames(); got < 8 || got > 11 {
			t.Errorf("late frames: got %d, want one for each second", got)
		}
		for _, p := range fleet {
			if got := p.status(t).Late; got < 5 {
				t.Errorf("%s: got %d late, want those of both", p.opts.Instance, got)
			}
		}
		if got := fleet[0].Split("assistant").LateFrames(); got > 0 {
			t.Errorf("late frames of the other: got %d", got)
		}
		serve(15, broken, fleet[1])
		fleet[0].wants(t, "after one that is late has judged alone", 0, true)
	})
}

// Without the store each instance has its part of alpha; with it, the fleet's judge goes on.
func TestAlphaIsSharedWhileTheStoreIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, strict(50, 50))
		serve(15, healthy, fleet...)
		want := fleet[0].status(t).Verdict
		if want == nil || want.Threshold != 100 || want.Result != health.Pass {
			t.Fatalf("together: got %+v, want a pass by a threshold of 100", want)
		}
		for _, p := range fleet {
			p.link.set(away)
		}
		serve(10, healthy, fleet...)
		for _, p := range fleet {
			if v := p.status(t).Verdict; v == nil || v.Threshold != 200 || v.Result != health.Pass {
				t.Errorf("%s, alone: got %+v, want a pass by a threshold of 200", p.opts.Instance, v)
			}
			p.link.set(none)
		}
		serve(10, healthy, fleet...)
		for _, p := range fleet {
			v := p.status(t).Verdict
			if v == nil || v.Threshold != 100 || v.Streams[0].Canary.N <= want.Streams[0].Canary.N {
				t.Errorf("%s, together again: got %+v, want more than %v by a threshold of 100", p.opts.Instance, v, want.Streams[0].Canary)
			}
		}
		serve(10, broken, fleet...)
		wantKinds(t, s, "created", "failback")
	})
}

// The store's clock counts: an instance whose own is off calls the seconds what the others call them.
func TestClockOfAnInstanceIsOff(t *testing.T) {
	for _, off := range []time.Duration{2 * time.Second, -2 * time.Second, 30 * time.Second} {
		t.Run(off.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				first := start(t, s, "proxy-1", strict(50, 50))
				elapse(2 * time.Second)
				other := newProxy(t, s, "proxy-2", strict(50, 50))
				other.link.sets(func(l *link) { l.ahead = off })
				other.mustStart(t)
				serve(120, healthy, first, other)
				late := other.Split("assistant").LateFrames()
				if late > 60 {
					t.Errorf("late frames in 2 min: got %d", late)
				}
				serve(20, healthy, first, other)
				st := first.status(t)
				if got := other.Split("assistant").LateFrames(); got > late || st.JudgedInstances != 2 || len(st.Missing) > 0 {
					t.Errorf("got %d late frames more, judged %d without %v", got-late, st.JudgedInstances, st.Missing)
				}
				for _, one := range first.link.sealed()[len(first.link.sealed())-10:] {
					if one.after > 1500*time.Millisecond {
						t.Errorf("second %d: sealed %v after its end", one.Second, one.after)
					}
				}
			})
		})
	}
}

// When the store's clock jumps, judging goes on.
func TestClockOfTheStoreJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Minute, -10 * time.Minute, 10 * time.Minute} {
		t.Run(jump.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet := starts(t, s, 2, strict(50, 50))
				serve(30, healthy, fleet...)
				for _, p := range fleet {
					p.link.sets(func(l *link) { l.jump = jump })
				}
				serve(5, healthy, fleet...)
				fleet[0].wants(t, "after the jump", 50, true)
				serve(12, broken, fleet...)
				fleet[0].wants(t, "with a canary that fails", 0, true)
			})
		})
	}
}

// After the store's clock has gone back by a minute, the numbers of seconds agree with it again, and none was given twice.
func TestNumbersAgreeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", strict(50, 50))
		serve(10, healthy, p)
		before := p.link.put()
		p.link.sets(func(l *link) { l.jump = -time.Minute })
		for range 150 {
			serve(1, healthy, p)
			now := p.link.put()
			if now < before || now > before+1 {
				t.Fatalf("second %d follows %d", now, before)
			}
			before = now
		}
		if got := time.Now().Add(-time.Minute).Unix() - p.link.put(); got < 0 || got > 2 {
			t.Errorf("the newest second is %d s old, by the store's clock", got)
		}
		if got := p.Split("assistant").LateFrames(); got > 0 {
			t.Errorf("late frames: got %d", got)
		}
	})
}

// An instance without traffic says so, and nobody waits for it.
func TestNobodyWaitsForIdleInstances(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, strict(50, 50))
		serve(40, healthy, fleet[1:]...)
		var all []sealed
		for _, p := range fleet {
			all = append(all, p.link.sealed()...)
		}
		if len(all) < 35 {
			t.Errorf("%d seconds were sealed of 40", len(all))
		}
		for _, one := range all {
			if one.after > time.Second || len(one.Missing) > 0 {
				t.Errorf("second %d: sealed %v after its end, without %v", one.Second, one.after, one.Missing)
			}
		}
	})
}

// A new trial does not wait for what is missing of the last one.
func TestEpochBeginsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, strict(50, 50))
		serve(12, healthy, fleet...)
		fleet[1].link.set(away)
		serve(3, healthy, fleet[0]) // seconds wait for it
		fleet[0].set(t, 0)
		fleet[0].set(t, 50)
		serve(3, healthy, fleet[0])
		if got, want := judgeOf(t, s).Epoch, fleet[0].at.View().Epoch(); got != want || want != 2 {
			t.Errorf("the judge is at epoch %d, want %d, which is 2", got, want)
		}
		if v := fleet[0].status(t).Verdict; v == nil || strings.Contains(v.Reason, "no canary") {
			t.Errorf("verdict: got %+v, want one on the new trial", v)
		}
		serve(12, broken, fleet[0])
		fleet[0].wants(t, "in the new trial", 0, true)
	})
}

// replay folds what was sealed as a judge of one's own would.
func replay(t *testing.T, epoch uint64, def rollout.Definition, seconds []sealed, tell func(*health.Judge, int64)) health.Verdict {
	t.Helper()
	j := health.NewJudge()
	j.Begin(health.Trial{Epoch: epoch, Settings: def.Policy.Judge, Limits: def.Policy.Failback, Raises: 5})
	for _, one := range seconds {
		sum := new(health.Second)
		for _, data := range one.Frames {
			var frame health.Second
			if err := frame.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			sum.Add(&frame)
		}
		tell(j, one.Second)
		j.Fold(one.Second, time.Second, sum)
	}
	return j.Verdict()
}

// A raise of the weights ends the open blocks, and is paid for once.
func TestRaiseIsToldToTheJudge(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := strict(90, 10)
		slight := traffic{blue: 20, blueFails: 1, green: 20, greenFails: 2}
		p := start(t, s, "proxy-1", def)
		serve(20, slight, p)
		p.set(t, 30)
		raised := stored(t, s).Changed.At.Unix()
		serve(30, slight, p)
		got, seconds := *p.status(t).Verdict, p.link.sealed()
		shifts := func(n int) health.Verdict {
			return replay(t, 1, def, seconds, func(j *health.Judge, second int64) {
				for i := range n {
					if second >= raised+int64(i) {
						j.Shift(raised+int64(i), true)
					}
				}
			})
		}
		if want := shifts(1); math.Abs(got.Evidence/want.Evidence-1) > 1e-9 {
			t.Errorf("evidence: got %v, want %v", got.Evidence, want.Evidence)
		}
		for _, n := range []int{0, 2} {
			if other := shifts(n); math.Abs(got.Evidence/other.Evidence-1) < 1e-3 {
				t.Errorf("evidence: got %v, as with %d raises", got.Evidence, n)
			}
		}
	})
}

// said lists what was logged from a level on that has a text in it.
func said(logs *observer.ObservedLogs, text string) (list []string) {
	for _, entry := range logs.All() {
		if strings.Contains(entry.Message, text) {
			list = append(list, fmt.Sprintf("%s: %s", entry.Level, entry.Message))
		}
	}
	return list
}

// observed lets an instance log into logs.
func observed(logs **observer.ObservedLogs) func(*rollout.Options) {
	core, seen := observer.New(zap.InfoLevel)
	*logs = seen
	return func(o *rollout.Options) { o.Log = zap.New(core) }
}

// A failback whose cause shows on stable a little later is marked, once, and nobody is moved again.
func TestStableFailsAfterAFailback(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		var logs *observer.ObservedLogs
		p := start(t, s, "proxy-1", strict(50, 50), observed(&logs))
		serve(120, healthy, p)
		serve(12, broken, p)
		p.wants(t, "failed back", 0, true)
		serve(30, outage, p)
		if got := stored(t, s).Progress.Suspected; !strings.Contains(got, "shared cause suspected") {
			t.Errorf("suspected: got %q", got)
		}
		serve(60, outage, p)
		wantKinds(t, s, "created", "failback", "suspected")
		if got := said(logs, "seems to have had a shared cause"); len(got) != 1 || !strings.HasPrefix(got[0], "error") {
			t.Errorf("logged: %q, want an error, once", got)
		}
	})
}

// A cause that both variants show is held, and said once.
func TestSharedCauseIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		var logs *observer.ObservedLogs
		p := start(t, s, "proxy-1", strict(50, 50), observed(&logs))
		serve(120, healthy, p)
		serve(20, outage, p)
		if v := p.status(t).Verdict; !v.SharedCause || v.Result != health.Inconclusive || !strings.Contains(v.Reason, "a shared cause, holding") {
			t.Errorf("verdict: got %+v, want a shared cause", v)
		}
		for range 4 { // at the edge
			serve(10, healthy, p)
			serve(10, outage, p)
		}
		serve(240, healthy, p)
		p.wants(t, "over the outage", 50, true)
		wantKinds(t, s, "created")
		if got := said(logs, "both variants fail"); len(got) != 1 || !strings.HasPrefix(got[0], "error") {
			t.Errorf("logged: %q, want an error, once in ten minutes", got)
		}
		if got := said(logs, "no shared cause any more"); len(got) != 1 {
			t.Errorf("logged: %q, want that it is over, once", got)
		}
	})
}

// Two that only take longer do not fail.
func TestSharedSlownessIsAWarning(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		var logs *observer.ObservedLogs
		p := start(t, s, "proxy-1", strict(50, 50), observed(&logs))
		answering := func(seconds int, ttfb time.Duration) {
			for range seconds {
				for variant := range 2 {
					w := p.at.View().Windows[variant]
					for i := range 30 {
						f := health.Flight{Start: time.Now()}
						f.Arrive(w, (uint64(f.Start.UnixNano())+uint64(i)+1)*0x9e3779b97f4a7c15)
						took := ttfb + time.Duration(i)*ttfb/30
						f.Record(f.Start.Add(took), health.Outcome{Class: health.Success, Answered: true, TTFB: took, Total: took})
					}
				}
				elapse(time.Second)
			}
		}
		answering(120, 100*time.Millisecond)
		answering(60, 900*time.Millisecond)
		if got := said(logs, "both variants"); len(got) != 1 || !strings.HasPrefix(got[0], "warn: both variants are slower than before") {
			t.Errorf("logged: %q, want a warning that both are slow", got)
		}
		serve(30, outage, p)
		if got := said(logs, "both variants"); len(got) != 2 || !strings.HasPrefix(got[1], "error: both variants fail") {
			t.Errorf("logged: %q, want an error once they fail too", got)
		}
	})
}

// No traffic is no reason to fail a canary back.
func TestNoCanaryTrafficForAnHour(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", strict(99, 1))
		serve(60, healthy, p)
		for range 60 {
			serve(1, traffic{blue: 30}, p)
			elapse(59 * time.Second)
		}
		v := p.status(t).Verdict
		if v.Result != health.Inconclusive || !strings.HasPrefix(v.Reason, "no request of the canary for ") {
			t.Errorf("verdict: got %+v, want none for want of requests", v)
		}
		p.wants(t, "without traffic", 1, true)
		wantKinds(t, s, "created")
	})
}

// switched is a split that has everybody on green, without a trickle, for so long that stable is silent.
func switched(t *testing.T, s *embedded.Store, options ...func(*rollout.Options)) *proxy {
	t.Helper()
	p := start(t, s, "proxy-1", strict(50, 50, noTrickle), options...)
	serve(120, healthy, p)
	p.set(t, 100)
	serve(90, traffic{green: 40}, p)
	return p
}

// byWeights serves as the weights say, 40 requests a second, of which a part fails.
func byWeights(seconds int, blueFails, greenFails float64, p *proxy) {
	for range seconds {
		green := 40 * p.green() / 100
		x := traffic{blue: 40 - green, green: green}
		x.blueFails, x.greenFails = int(math.Round(blueFails*float64(x.blue))), int(math.Round(greenFails*float64(green)))
		serve(1, x, p)
	}
}

// A canary that has everybody and fails is compared with stable for some seconds.
func TestProbeFailsBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := switched(t, s)
		byWeights(12, 0, 0.3, p)
		if got := p.status(t).State; got.RunningProbe() == nil || p.green() != 90 {
			t.Errorf("got %+v with green at %d, want a probe", got.Probe, p.green())
		}
		byWeights(20, 0, 0.3, p)
		p.wants(t, "after the probe", 0, true)
		wantKinds(t, s, "created", "weights", "probe", "failback")
	})
}

// A probe that finds stable no better ends, and is not repeated for minutes, also not by whoever takes over.
func TestProbeFindsASharedCause(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := switched(t, s)
		byWeights(40, 0.3, 0.3, p)
		p.wants(t, "after the probe", 100, true)
		wantKinds(t, s, "created", "weights", "probe", "probe_ended")
		if why := stored(t, s).Changed.Reason; !strings.Contains(why, "a shared cause, holding") {
			t.Errorf("why: got %q", why)
		}
		byWeights(110, 0.3, 0.3, p)
		p.close(t)
		p = start(t, s, "proxy-2", strict(50, 50, noTrickle))
		byWeights(110, 0.3, 0.3, p)
		wantKinds(t, s, "created", "weights", "probe", "probe_ended")
		byWeights(120, 0.3, 0.3, p)
		p.wants(t, "after another probe", 100, true)
		wantKinds(t, s, "created", "weights", "probe", "probe_ended", "probe", "probe_ended")
		byWeights(80, 0.3, 0.8, p) // it takes a minute until stable counts as silent again
		p.wants(t, "with most of the requests failing", 0, true)
	})
}

// A canary of which more than half fails is not compared first.
func TestNoProbeOfADeadCanary(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := switched(t, s)
		byWeights(12, 0, 1, p)
		p.wants(t, "at once", 0, true)
		wantKinds(t, s, "created", "weights", "failback")
	})
}

// A store that seals nothing, and answers nothing of it, costs an instance only the fleet's judgement, also at rest.
func TestNothingIsSealed(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(100, 0))
		p.link.set(unsealed)
		serve(45, traffic{blue: 30}, p)
		p.set(t, 50)
		serve(30, broken, p)
		p.wants(t, "judged by what the instance itself saw", 0, true)
	})
}

// A probe ends even if no judge is left to end it.
func TestProbeIsEndedWithoutAJudge(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := switched(t, s)
		byWeights(12, 0, 0.3, p)
		if p.green() != 90 {
			t.Fatalf("green has %d %%, want a probe", p.green())
		}
		p.link.set(unjudged)
		serve(10, traffic{blue: 4, green: 36}, p)
		p.wants(t, "meanwhile", 90, true)
		serve(20, traffic{blue: 4, green: 36}, p)
		p.wants(t, "afterwards", 100, true)
		wantKinds(t, s, "created", "weights", "probe", "probe_ended")
	})
}

// What is known of stable is learned between trials, and outlives the fleet.
func TestHistoryOutlivesTheFleet(t *testing.T) {
	for name, learns := range map[string]int{"known": 120, "unknown": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, def := t.TempDir(), strict(100, 0, noTrickle)
				open := func() *embedded.Store {
					s, err := embedded.Open(dir)
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				shut := func(s *embedded.Store) {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}
				s := open()
				p := start(t, s, "proxy-1", def)
				serve(learns, traffic{blue: 40}, p)
				elapse(15 * time.Second)
				p.close(t)
				shut(s)
				s = open()
				defer shut(s)
				p = start(t, s, "proxy-1", def)
				defer p.close(t)
				elapse(2 * time.Second)
				p.set(t, 100)
				serve(90, traffic{green: 40}, p)
				byWeights(12, 0, 0.3, p)
				if got, want := slices.Contains(kinds(t, s), "probe"), learns > 0; got != want {
					t.Errorf("events: got %v, want a probe: %v", kinds(t, s), want)
				}
			})
		})
	}
}
