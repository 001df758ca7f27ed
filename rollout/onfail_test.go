package rollout_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// rollsAt is a rollout that is watched at 50 or 100 percent for an hour.
func rollsAt(t *testing.T, s *embedded.Store, share splitter.Weight, change func(*rollout.Plan), agents rollout.Agents) *proxy {
	t.Helper()
	plan := planOf(share, 100)
	if share == 100 {
		plan = planOf(100)
	}
	plan.Watch, plan.Steps[0].Bake = health.Duration(time.Hour), health.Duration(time.Hour)
	if share == 100 {
		plan.Steps[0].Bake = 0
	}
	if change != nil {
		change(&plan)
	}
	def := rolling(plan)
	p := newProxy(t, s, "proxy-1", def)
	p.at.Agents = agents
	p.mustStart(t)
	serve(60, healthy, p)
	begins(t, s, def)
	byWeights(90, 0, 0, p)
	return p
}

// With on_fail pause a canary that fails keeps what it has, and goes no further.
func TestOnFailPause(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := rollsAt(t, s, 50, func(plan *rollout.Plan) { plan.OnFail = rollout.OnFailPause }, nil)
		serve(30, broken, p)
		p.wants(t, "failing", 50, true)
		wantKinds(t, s, "created", "started", "paused")
		if got := p.waits(t); !slices.Contains(got, rollout.WaitResume) || !slices.Contains(got, rollout.WaitHealth) {
			t.Errorf("waits for %v", got)
		}
		p.resumes(t)
		serve(2, broken, p)
		wantKinds(t, s, "created", "started", "paused", "resumed") // what it did before is forgotten
		serve(10, broken, p)
		wantKinds(t, s, "created", "started", "paused", "resumed", "paused")
		serve(60, broken, p)
		wantKinds(t, s, "created", "started", "paused", "resumed", "paused")
	})
}

func (p *proxy) resumes(t *testing.T) {
	t.Helper()
	if _, err := p.ResumeRollout(t.Context(), "assistant", alice); err != nil {
		t.Fatal(err)
	}
}

// pausable is a rollout that is paused at 50 percent if its canary fails, of steps of 20 s.
func pausable() rollout.Definition {
	plan := planOf(50, 100)
	plan.OnFail, plan.MinRequests, plan.MinUsers, plan.Watch = rollout.OnFailPause, 100, 1, health.Duration(20*time.Second)
	plan.Steps[0].Bake = health.Duration(20 * time.Second)
	return rolling(plan)
}

// A canary that was paused as it failed, was repaired and is resumed, is judged anew: its step begins again, also for whoever
// takes over, and it goes on to its promotion.
func TestRepairedCanaryIsPromoted(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, pausable())
		serve(60, healthy, fleet...)
		begins(t, s, pausable())
		within(t, 30, "the pause", broken, func() bool { return stored(t, s).Progress.Paused != nil }, fleet...)
		if got := stored(t, s).Progress.Paused; !got.Failed {
			t.Errorf("paused by %+v, want as it failed", got)
		}
		serve(30, healthy, fleet...)
		fleet[1].resumes(t)
		since := time.Now()
		serve(8, healthy, fleet...)
		wantKinds(t, s, "created", "started", "paused", "resumed")
		if got := fleet[2].status(t).Plan.Tally; got.Anew != since.Unix() || got.Baked > 8 || got.Requests == 0 || got.Users == 0 {
			t.Errorf("8 s after it was resumed at %d, the step has seen %+v", since.Unix(), got)
		}
		fleet[0].close(t) // who may have folded
		within(t, 60, "the next step", healthy, func() bool { return stored(t, s).Progress.Step == 2 }, fleet[1:]...)
		if took := time.Since(since); took < 20*time.Second {
			t.Errorf("the step was taken %s after it had begun anew", took)
		}
		within(t, 60, "the promotion", healthy, func() bool { return stored(t, s).Stable == "green" }, fleet[1:]...)
		wantKinds(t, s, "created", "started", "paused", "resumed", "step", "promoted")
	})
}

// A resume by somebody who had paused keeps all that is known, unless the canary fails meanwhile.
func TestResumeAfterAPauseByHand(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := rollsAt(t, s, 50, func(plan *rollout.Plan) { plan.OnFail = rollout.OnFailPause }, nil)
		for _, x := range []traffic{healthy, broken} {
			if _, err := p.PauseRollout(t.Context(), "assistant", alice); err != nil {
				t.Fatal(err)
			}
			serve(40, x, p)
			baked := p.status(t).Plan.Tally.Baked
			p.resumes(t)
			serve(4, healthy, p)
			got, fails := p.status(t).Plan.Tally.Baked, x != healthy
			if fails != (got < baked) || fails == stored(t, s).Progress.JudgedSince.IsZero() {
				t.Errorf("%d s were baked before and %d after, while it fails: %v", baked, got, fails)
			}
		}
		wantKinds(t, s, "created", "started", "paused", "resumed", "paused", "failback_held", "resumed")
	})
}

// lastExposure is what the newest event says of a canary that fails while its rollout is paused.
func lastExposure(t *testing.T, s *embedded.Store) rollout.Exposure {
	t.Helper()
	events, err := s.Events(t.Context(), "assistant", 1)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := rollout.ExposureOf(events[0])
	return e
}

// While a paused canary fails, status, why and the event say who has it yet, and why names the ways out and promises nothing.
func TestPausedCanaryThatFailsIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		const fails = "PAUSED: green fails and still has 100% of the users: `split abort assistant` takes everybody back to blue; " +
			"`split resume assistant` once it is repaired."
		p := rollsAt(t, s, 100, func(plan *rollout.Plan) { plan.OnFail = rollout.OnFailPause }, nil)
		p.whyIs(t, "healthy", "green has 100%", "it is watched for 1h, and then promoted.")
		byWeights(60, 0, 0.6, p)
		wantKinds(t, s, "created", "started", "paused")
		want := rollout.Exposure{Canary: "green", Share: splitter.Full, Stable: "blue"}
		if got := lastExposure(t, s); got != want {
			t.Errorf("the event says %+v, want %+v", got, want)
		}
		if got := p.status(t).Plan.Exposed; got == nil || *got != want {
			t.Errorf("status says %+v, want %+v", got, want)
		}
		p.whyIs(t, "failing", fails, "green is at step 1 of 1, with 100%, reached ", "Waits for health: ", "Waits for resume: ")
		list, err := p.Why("assistant")
		if err != nil || list[0] != fails || strings.Contains(strings.Join(list, "\n"), "watched for") {
			t.Errorf("got %q, %v; want the alarm first, and no promise", list, err)
		}
		p.kills(t, "green")
		if got := p.status(t).Plan.Exposed; got != nil {
			t.Errorf("killed: status says %+v, want nobody exposed", got)
		}
		p.revives(t)
		if _, err := p.AbortRollout(t.Context(), "assistant", alice); err != nil {
			t.Fatal(err)
		}
		p.wants(t, "aborted", 0, true)
	})
}

// A watch that a person has paused ends in no promotion by itself, and while its canary is well nobody is exposed.
func TestPausedWatchIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := rollsAt(t, s, 100, nil, nil)
		if _, err := p.PauseRollout(t.Context(), "assistant", alice); err != nil {
			t.Fatal(err)
		}
		byWeights(5, 0, 0, p)
		p.whyIs(t, "paused", "it is watched for 1h, and promoted after that if somebody resumes the rollout.", "Waits for resume: paused by alice")
		if got := p.status(t).Plan.Exposed; got != nil || lastExposure(t, s) != (rollout.Exposure{}) {
			t.Errorf("got %+v exposed, the event says %+v; want nobody", got, lastExposure(t, s))
		}
	})
}

// That a canary fails while somebody has paused its rollout is told, once.
func TestFailsWhilePaused(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := rollsAt(t, s, 50, func(plan *rollout.Plan) { plan.OnFail = rollout.OnFailPause }, nil)
		if _, err := p.PauseRollout(t.Context(), "assistant", alice); err != nil {
			t.Fatal(err)
		}
		serve(40, broken, p)
		p.wants(t, "failing", 50, true)
		wantKinds(t, s, "created", "started", "paused", "failback_held")
		want := rollout.Exposure{Canary: "green", Share: 50_000, Stable: "blue"}
		if got := lastExposure(t, s); got != want {
			t.Errorf("the event says %+v, want %+v", got, want)
		}
		p.whyIs(t, "failing", "PAUSED: green fails and still has 50% of the users: `split abort assistant` takes everybody back to blue")
	})
}

// A plan by which nothing can pass says so, and so does one whose stable is gone.
func TestPlanThatCannotPassSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := rollsAt(t, s, 100, nil, nil)
		if _, err := p.Retire(t.Context(), "assistant", rollout.RetireRequest{Variant: "blue"}, alice); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.status(t).Plan.Warnings, "; "); !strings.Contains(got, "blue is retired, and nothing passes without it") {
			t.Errorf("warnings: %q", got)
		}
	})
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := rolling(planOf(50, 100))
		def.Policy.Judge = nil
		p := start(t, s, "proxy-1", def)
		begins(t, s, def)
		elapse(2 * time.Second)
		if got := strings.Join(p.status(t).Plan.Warnings, "; "); !strings.Contains(got, "the judge is off") {
			t.Errorf("warnings: %q", got)
		}
	})
}

// Without it, the plan ends with a failback.
func TestRolloutFailsBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := rollsAt(t, s, 50, nil, nil)
		serve(30, broken, p)
		p.wants(t, "failed back", 0, true)
		wantKinds(t, s, "created", "started", "failback")
		if st := p.status(t); st.Plan != nil {
			t.Errorf("a plan runs yet: %+v", st.Plan)
		}
	})
}

// doctor says whether stable is dead, and counts how often it is asked.
type doctor struct {
	rollout.Agents
	dead, hangs atomic.Bool
	asked       atomic.Int64
}

func (d *doctor) Dead(ctx context.Context, variant string) error {
	d.asked.Add(1)
	if d.hangs.Load() {
		<-ctx.Done()
		return nil
	}
	if variant != "blue" || !d.dead.Load() {
		return nil
	}
	return errors.New("dial tcp 10.0.0.7:9000: connection refused")
}

// A canary that has more than half is not failed back to a stable that is dead, until it is not.
func TestFailbackToDeadStableIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		d := new(doctor)
		d.dead.Store(true)
		p := rollsAt(t, s, 100, nil, d)
		byWeights(60, 0, 1, p)
		p.wants(t, "with a dead stable", 100, true)
		wantKinds(t, s, "created", "started", "failback_held")
		if n := d.asked.Load(); n < 5 || n > 13 {
			t.Errorf("tried %d times in a minute, want each five seconds", n)
		}
		if got := p.status(t).Plan.Warnings; !slices.ContainsFunc(got, func(w string) bool { return strings.Contains(w, "connection refused") }) {
			t.Errorf("warnings: %q", got)
		}
		d.dead.Store(false)
		byWeights(10, 0, 1, p)
		p.wants(t, "with a stable that is back", 0, true)
		wantKinds(t, s, "created", "started", "failback_held", "failback")
	})
}

// Not knowing means go, and so does a small canary.
func TestFailbackIsNotHeld(t *testing.T) {
	for name, tt := range map[string]struct {
		share       splitter.Weight
		dead, hangs bool
		asked       bool
	}{
		"alive":     {100, false, false, true},
		"no answer": {100, true, true, true},
		"small":     {50, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				d := new(doctor)
				d.dead.Store(tt.dead)
				d.hangs.Store(tt.hangs)
				p := rollsAt(t, s, tt.share, nil, d)
				byWeights(30, 0, 1, p)
				p.wants(t, "failing", 0, true)
				wantKinds(t, s, "created", "started", "failback")
				if got := d.asked.Load() > 0; got != tt.asked {
					t.Errorf("stable was tried: %v, want %v", got, tt.asked)
				}
			})
		})
	}
}

// A stable that was said to be gone is dead for sure.
func TestFailbackToRetiredStableIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		d := new(doctor)
		p := rollsAt(t, s, 100, nil, d)
		prev := stored(t, s)
		n := prev.Clone()
		n.Version = splitter.Version{Revision: prev.Revision + 1, ID: "retired"}
		n.Parent, n.Retired, n.Changed.Kind = prev.ID, []string{"blue"}, rollout.KindRetired
		if err := s.Swap(t.Context(), prev.Version, n, store.Event{ID: n.ID, Split: n.Split, Revision: n.Revision, Epoch: n.Epoch, Change: n.Changed}); err != nil {
			t.Fatal(err)
		}
		byWeights(30, 0, 1, p)
		p.wants(t, "with a stable that is retired", 100, true)
		if got := kinds(t, s); !cmp.Equal(got[len(got)-1], "failback_held") || d.asked.Load() > 0 {
			t.Errorf("events: %v; tried %d times", got, d.asked.Load())
		}
	})
}

// A pass from before stable was gone is none for requests that came after: nothing is promoted on it, and once the canary
// is held against stable's past, it fails.
func TestNoPromotionOnAnOldPass(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		watched := planOf(100)
		watched.Watch = health.Duration(40 * time.Second)
		def := rolling(watched)
		p := start(t, s, "proxy-1", def)
		serve(60, healthy, p)
		begins(t, s, def)
		serve(20, healthy, p)
		p.wants(t, "healthy", 100, true)
		serve(40, traffic{green: 60, greenFails: 50}, p)
		wantKinds(t, s, "created", "started")
		plan := p.status(t).Plan
		if plan == nil || !strings.Contains(encode(t, plan.Waits), "are not judged yet, as blue has had too few") {
			t.Errorf("it says %s", encode(t, plan))
		}
		if _, err := p.PromoteNow(t.Context(), "assistant", rollout.PromoteRequest{}, alice); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("promoted by hand: %v", err)
		}
		serve(40, traffic{green: 60, greenFails: 50}, p)
		wantKinds(t, s, "created", "started", "failback")
	})
}
