package rollout_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// campaign gives one State commands at random, on findings at random.
type campaign struct {
	machine
	found rollout.Findings
	left  string // what an abort, a switch back or a rollback took everybody from, until something begins anew
}

// TestAnySequenceOfCommands draws commands of all kinds.
func TestAnySequenceOfCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &campaign{machine: machine{now: noon, n: 1, def: drawPlanned(t)}}
		m.state = created(t, m.def)
		actions := m.commands()
		actions["time"] = func(t *rapid.T) {
			m.now = m.now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "minutes")) * time.Minute)
		}
		actions[""] = func(t *rapid.T) {
			if err := m.state.Validate(); err != nil {
				t.Fatal(err)
			}
			if _, err := rollout.PlanOf(m.state); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(actions)
	})
}

// drawPlanned draws a definition with a plan that pauses or fails back, with or without a judge, and a third variant.
func drawPlanned(t *rapid.T) rollout.Definition {
	def := planned()
	if rapid.Bool().Draw(t, "judge") {
		def = plannedJudge()
	}
	if rapid.Bool().Draw(t, "pauses") {
		def.Plan.OnFail = rollout.OnFailPause
	}
	def.Variants = append(def.Variants, rollout.Variant{Name: "red"})
	return def
}

// commands returns what can be done to a rollout. Steps and promotions are drawn more often than what ends them.
func (m *campaign) commands() map[string]func(*rapid.T) {
	s := func() *splitter.State { return m.state }
	step := func(*rapid.T) (rollout.Changed, bool, error) {
		return rollout.TakeStep(s(), m.def, s().Progress.Step+1, m.found, alice, m.seed())
	}
	all := map[string]func(*rapid.T) (rollout.Changed, bool, error){
		"start": func(t *rapid.T) (rollout.Changed, bool, error) {
			return made(rollout.Start(s(), m.def, rollout.StartRequest{Force: rapid.Bool().Draw(t, "force")}, alice, m.seed()))
		},
		"retry": func(t *rapid.T) (rollout.Changed, bool, error) {
			return made(rollout.Retry(s(), m.def, rollout.RetryRequest{Force: rapid.Bool().Draw(t, "force")}, alice, m.seed()))
		},
		"switch": func(t *rapid.T) (rollout.Changed, bool, error) {
			return made(rollout.SwitchTo(s(), m.def, rollout.SwitchRequest{To: m.variant(t)}, alice, m.seed()))
		},
		"switch back": func(*rapid.T) (rollout.Changed, bool, error) {
			return made(rollout.SwitchBack(s(), m.def, alice, m.seed()))
		},
		"roll back": func(*rapid.T) (rollout.Changed, bool, error) {
			return made(rollout.RollBack(s(), m.def, rollout.RollbackRequest{}, alice, m.seed()))
		},
		"roll back to": func(t *rapid.T) (rollout.Changed, bool, error) {
			c, ok, err := made(rollout.RollBack(s(), m.def, rollout.RollbackRequest{To: m.variant(t)}, alice, m.seed()))
			if ok {
				m.left = "" // they said so
			}
			return c, ok, err
		},
		"pause": func(*rapid.T) (rollout.Changed, bool, error) { return rollout.Pause(s(), alice, m.seed()) },
		"resume": func(*rapid.T) (rollout.Changed, bool, error) {
			return rollout.Resume(s(), health.Verdict{}, alice, m.seed())
		},
		"resume again": func(*rapid.T) (rollout.Changed, bool, error) {
			return rollout.Resume(s(), failing, alice, m.seed())
		},
		"approve": func(*rapid.T) (rollout.Changed, bool, error) {
			return rollout.Approve(s(), rollout.StepRequest{Step: s().Progress.Step + 1}, alice, m.seed())
		},
		"step": step, "another step": step, "one more step": step,
		"promote": func(t *rapid.T) (rollout.Changed, bool, error) {
			r := rollout.PromoteRequest{Full: rapid.Bool().Draw(t, "full")}
			return made(rollout.PromoteNow(s(), m.def, r, m.found, alice, m.seed()))
		},
		"abort": func(*rapid.T) (rollout.Changed, bool, error) { return made(rollout.Abort(s(), alice, m.seed())) },
		"fail": func(*rapid.T) (rollout.Changed, bool, error) {
			if c, ok, err := rollout.PausePlan(s(), failing, alice, m.seed()); ok || err != nil {
				return c, ok, err
			}
			return rollout.Failback(s(), failing, alice, m.seed())
		},
		"retire": func(t *rapid.T) (rollout.Changed, bool, error) {
			r := rollout.RetireRequest{Variant: m.variant(t), Undo: rapid.Bool().Draw(t, "undo")}
			return rollout.Retire(s(), m.def, r, alice, m.seed())
		},
		"kill": func(t *rapid.T) (rollout.Changed, bool, error) {
			k := splitter.Kill{ID: m.seed().ID, Variant: m.variant(t), At: m.now}
			return rollout.Kill(s(), k, m.seed())
		},
		"revive": func(*rapid.T) (rollout.Changed, bool, error) {
			return made(rollout.Revive(s(), rollout.ReviveRequest{}, alice, m.seed()))
		},
		"weights": func(t *rapid.T) (rollout.Changed, bool, error) {
			w := rapid.SampledFrom([]splitter.Weight{0, 1, 10, 50, 99, 100}).Draw(t, "percent") * percent
			c := rollout.WeightChange{Weights: map[string]splitter.Weight{m.variant(t): w}, Force: rapid.Bool().Draw(t, "force")}
			return made(rollout.SetWeights(s(), m.def, c, alice, m.seed()))
		},
		"adopt": func(*rapid.T) (rollout.Changed, bool, error) {
			return made(rollout.Adopt(s(), m.def, rollout.AdoptRequest{}, alice, m.seed()))
		},
		"version": func(t *rapid.T) (rollout.Changed, bool, error) {
			m.def.Variants = slices.Clone(m.def.Variants)
			m.def.Variants[rapid.IntRange(0, 1).Draw(t, "of")].Version = rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "version")
			return rollout.Redeclare(s(), m.def, alice, m.seed())
		},
	}
	actions := map[string]func(*rapid.T){}
	for name, do := range all {
		actions[name] = func(t *rapid.T) { m.try(t, do) }
	}
	return actions
}

func (m *campaign) variant(t *rapid.T) string {
	return rapid.SampledFrom([]string{"blue", "green", "red"}).Draw(t, "variant")
}

// made is a change that is always made unless it is refused.
func made(c rollout.Changed, err error) (rollout.Changed, bool, error) { return c, err == nil, err }

// try gives one command, and holds what comes of it to what all must keep.
func (m *campaign) try(t *rapid.T, do func(*rapid.T) (rollout.Changed, bool, error)) {
	m.found = rollout.Findings{Verdict: rapid.SampledFrom([]health.Verdict{passing, passing, failing, {}}).Draw(t, "verdict")}
	if rapid.IntRange(0, 3).Draw(t, "evidence") > 0 {
		m.found.Tally = ready(m.state).Tally
	}
	prev, document := m.state, string(encoded(t, m.state))
	c, ok, err := do(t)
	if string(encoded(t, prev)) != document {
		t.Fatalf("the State before was modified: %s, was %s", encoded(t, prev), document)
	}
	if err != nil {
		isRefusal := slices.ContainsFunc([]error{rollout.ErrRefused, rollout.ErrCooldown, rollout.ErrStep, rollout.ErrInvalid},
			func(want error) bool { return errors.Is(err, want) })
		if !isRefusal || ok {
			t.Fatalf("got %v, %v: want a refusal that says why", ok, err)
		}
		return
	}
	if ok {
		m.keeps(t, c)
		m.state = c.State
	}
}

func encoded(t *rapid.T, s *splitter.State) []byte {
	data, err := s.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// keeps checks what every change must keep of the State before.
func (m *campaign) keeps(t *rapid.T, c rollout.Changed) {
	prev, next := m.state, c.State
	kind := next.Changed.Kind
	if next.Revision != prev.Revision+1 || next.Parent != prev.ID || !next.Descends(prev.Version) {
		t.Fatalf("history: got %v of %q after %v", next.Version, next.Parent, prev.Version)
	}
	if c.Event.ID != next.ID || c.Event.Change != next.Changed || !cmp.Equal(c.Event.From, prev.Weights()) ||
		!cmp.Equal(c.Event.To, next.Weights()) {
		t.Fatalf("event: got %+v of %+v", c.Event, next)
	}
	if isKill := kind == rollout.KindKill || kind == rollout.KindRevive; !isKill && !cmp.Equal(idsOf(next.Kills), idsOf(prev.Kills)) {
		t.Fatalf("kills: got %v after %v by %s", next.Kills, prev.Kills, kind)
	}
	for _, v := range prev.Retired {
		if slices.Contains(next.Retired, v) && next.Weights()[v] > prev.Weights()[v] {
			t.Fatalf("%s is retired and was given %s by %s", v, next.Weights()[v], kind)
		}
	}
	m.keepsAway(t, next)
	if next.Epoch == prev.Epoch {
		m.keepsTrial(t, next)
	} else if p := next.Progress; p.Step > 1 || p.Approved > 0 || p.Step == 1 && next.Plan == nil || p.Step == 0 && next.Plan != nil {
		t.Fatalf("a new epoch by %s begins with %+v, plan %s", kind, p, next.Plan)
	}
	if isForward := kind == rollout.KindStep || kind == rollout.KindPromoted; isForward && m.found.Verdict.Result == health.Fail {
		t.Fatalf("%s on a verdict that fails", kind)
	}
}

// keepsAway checks that what takes something back, given again, does not lead to what it led away from.
func (m *campaign) keepsAway(t *rapid.T, next *splitter.State) {
	before, after := m.state.Weights(), next.Weights()
	switch kind := next.Changed.Kind; kind {
	case rollout.KindAborted, rollout.KindSwitchedBack, rollout.KindRolledBack:
		if m.left != "" && after[m.left] > before[m.left] {
			t.Fatalf("%s gives %s %s, which everybody was taken from: %+v", kind, m.left, after[m.left], m.state)
		}
		for v := range before {
			if after[v] == 0 {
				m.left = v
			}
		}
	case rollout.KindStarted, rollout.KindRetried, rollout.KindSwitched, rollout.KindPromoted, rollout.KindAdopt, rollout.KindWeights:
		m.left = ""
	}
}

// TestNothingIsTakenBackTwice draws what goes forward and what takes it back, and little else.
func TestNothingIsTakenBackTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &campaign{machine: machine{now: noon, n: 1, def: drawPlanned(t)}}
		m.state = created(t, m.def)
		all := m.commands()
		actions := map[string]func(*rapid.T){}
		for _, name := range []string{"start", "switch", "abort", "switch back", "roll back", "kill", "revive"} {
			actions[name] = all[name]
		}
		actions["promote"], actions["promote again"] = all["promote"], all["promote"]
		t.Repeat(actions)
	})
}

// keepsTrial checks what every change within an epoch must keep.
func (m *campaign) keepsTrial(t *rapid.T, next *splitter.State) {
	prev, kind := m.state, next.Changed.Kind
	if string(next.Plan) != string(prev.Plan) || next.Stable != prev.Stable || next.Canary != prev.Canary {
		t.Fatalf("%s changed the plan or the roles of a trial: %+v after %+v", kind, next, prev)
	}
	isByHand := kind == rollout.KindWeights && prev.Progress.Paused != nil
	if next.Progress.Step > prev.Progress.Step && kind != rollout.KindStep && !isByHand {
		t.Fatalf("step %d after %d by %s", next.Progress.Step, prev.Progress.Step, kind)
	}
	runs := next.Progress.Phase == splitter.PhaseTrial && next.Progress.Step > 0
	rises := next.Weights()[next.Canary] > prev.Weights()[next.Canary]
	takesTrickle := kind == rollout.KindRetired && prev.Weights()[prev.Stable] <= splitter.Full/2
	if runs && rises && kind != rollout.KindStep && kind != rollout.KindResumed && !isByHand && !takesTrickle {
		t.Fatalf("the canary has %s after %s by %s", next.Weights()[next.Canary], prev.Weights()[next.Canary], kind)
	}
	if kind == rollout.KindStep && (prev.Progress.Paused != nil || prev.KillOf(prev.Canary) != nil) {
		t.Fatalf("a step of what is paused or killed: %+v", prev.Progress)
	}
	if prev.Progress.Phase == splitter.PhaseFailedBack && (next.Progress.Phase != splitter.PhaseFailedBack || rises) {
		t.Fatalf("failed back: got %v with %v in one epoch", next.Progress, next.Weights())
	}
}
