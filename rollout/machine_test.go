package rollout_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// machine changes one State at random and holds every change to what all changes must keep.
type machine struct {
	state *splitter.State
	now   time.Time
	n     int
	def   rollout.Definition
}

func (m *machine) seed() rollout.Seed {
	m.n++
	return seedAt(m.n, m.now)
}

// TestAnySequenceOfChanges draws changes of all kinds.
func TestAnySequenceOfChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{now: noon, n: 1, def: threeVariants(t)}
		c, err := rollout.Create(m.def, alice, seedAt(1, noon))
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		m.state = c.State
		t.Repeat(map[string]func(*rapid.T){
			"weights":  m.weights,
			"kill":     m.kill,
			"revive":   m.revive,
			"failback": m.failback,
			"rename":   m.rename,
			"adopt":    m.adopt,
			"policy":   m.policy,
			"version":  m.version,
			"time": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "minutes")) * time.Minute)
			},
			"": func(t *rapid.T) {
				if err := m.state.Validate(); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// threeVariants draws a definition of blue, green and red.
func threeVariants(t *rapid.T) rollout.Definition {
	def := assistant(100, 0)
	canary := rapid.Uint32Range(0, splitter.Buckets).Draw(t, "green")
	other := rapid.Uint32Range(0, splitter.Buckets-canary).Draw(t, "red")
	def.Variants = []rollout.Variant{{Name: "blue", Weight: splitter.Weight(splitter.Buckets - canary - other)},
		{Name: "green", Weight: splitter.Weight(canary)}, {Name: "red", Weight: splitter.Weight(other)}}
	return def
}

// names lists the State's variants.
func (m *machine) names() []string {
	names := []string{m.state.Stable, m.state.Canary}
	for _, r := range m.state.Ranges {
		names = append(names, r.Variant)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

// take checks what every change must keep, and goes on with the next State.
func (m *machine) take(t *rapid.T, c rollout.Changed, begins bool) {
	prev, next := m.state, c.State
	if next.Revision != prev.Revision+1 || next.Parent != prev.ID || next.ID == prev.ID {
		t.Fatalf("history: got %v of parent %q after %v", next.Version, next.Parent, prev.Version)
	}
	keeps := next.Changed.Kind == rollout.KindKill || next.Changed.Kind == rollout.KindRevive
	if !next.Descends(prev.Version) || keeps && !slices.Equal(next.Placed, prev.Placed) ||
		!keeps && !slices.Equal(next.Placed, []splitter.Version{next.Version}) {
		t.Fatalf("lineage: got %v, placed %v by %s after %v, placed %v", next.Lineage, next.Placed, next.Changed.Kind,
			prev.Version, prev.Placed)
	}
	if c.Event.ID != next.ID || c.Event.Revision != next.Revision || !cmp.Equal(c.Event.From, prev.Weights()) ||
		!cmp.Equal(c.Event.To, next.Weights()) || c.Event.Change != next.Changed {
		t.Fatalf("event: got %+v of %+v", c.Event, next)
	}
	fresh := begins && prev.Weights()[next.Stable] == splitter.Full
	if (next.Salt != prev.Salt) != fresh {
		t.Fatalf("salt: got %q after %q, want a fresh one: %v", next.Salt, prev.Salt, fresh)
	}
	kind := next.Changed.Kind
	newEpoch := begins || kind == rollout.KindAdopt || kind == rollout.KindVersion
	if (next.Epoch == prev.Epoch+1) != newEpoch || !newEpoch && next.Epoch != prev.Epoch {
		t.Fatalf("epoch: got %d after %d by %s, want a new one: %v", next.Epoch, prev.Epoch, kind, newEpoch)
	}
	if !newEpoch && kind != rollout.KindPolicy && string(next.Policy) != string(prev.Policy) {
		t.Fatalf("policy: changed by %s", kind)
	}
	if !newEpoch && prev.Progress.Phase == splitter.PhaseFailedBack &&
		(next.Progress.Phase != splitter.PhaseFailedBack || next.Weights()[next.Canary] > 0) {
		t.Fatalf("failed back: got %v with %v in one epoch", next.Progress, next.Weights())
	}
	promoted := kind == rollout.KindAdopt && next.Stable == prev.Canary && prev.Progress.Phase == splitter.PhaseTrial
	if promoted && next.Cooldown != (splitter.Cooldown{}) {
		t.Fatalf("cooldown: got %v after a promotion", next.Cooldown)
	}
	if kind != rollout.KindFailback && !promoted && next.Cooldown != prev.Cooldown {
		t.Fatalf("cooldown: got %v after %v by %s", next.Cooldown, prev.Cooldown, kind)
	}
	if touches := kind == rollout.KindKill || kind == rollout.KindRevive || kind == rollout.KindRename; !touches &&
		!cmp.Equal(idsOf(next.Kills), idsOf(prev.Kills)) {
		t.Fatalf("kills: got %v after %v by %s", next.Kills, prev.Kills, kind)
	}
	m.state = next
}

func idsOf(kills []splitter.Kill) []string {
	ids := []string{}
	for _, k := range kills {
		ids = append(ids, k.ID)
	}
	return ids
}

// weights moves a share between stable and another variant, forced or not.
func (m *machine) weights(t *rapid.T) {
	before, prev := m.state.Weights(), m.state
	variant := rapid.SampledFrom(m.names()).Draw(t, "variant")
	if variant == prev.Stable {
		t.Skip("stable follows")
	}
	want := splitter.Weight(rapid.Uint32Range(0, uint32(before[variant]+before[prev.Stable])).Draw(t, "weight"))
	force := rapid.Bool().Draw(t, "force")
	document := fmt.Sprint(*prev)
	w := rollout.WeightChange{Weights: map[string]splitter.Weight{variant: want}, Force: force}
	c, err := rollout.SetWeights(prev, m.def, w, alice, m.seed())
	if fmt.Sprint(*prev) != document {
		t.Fatalf("the State before was modified: %v, was %v", *prev, document)
	}
	isIncrease := variant == prev.Canary && want > before[variant]
	if isIncrease && !force && m.now.Before(prev.Cooldown.Until) {
		if !errors.Is(err, rollout.ErrCooldown) {
			t.Fatalf("increase in cooldown: got %v, want ErrCooldown", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("SetWeights(%v): %v", w, err)
	}
	if isIncrease && !covers(c.State.Ranges, prev.Ranges, variant) {
		t.Fatalf("raising %s moved somebody off it: %v after %v", variant, c.State.Ranges, prev.Ranges)
	}
	if got := c.State.Weights()[variant]; got != want {
		t.Fatalf("weight of %s: got %v, want %v", variant, got, want)
	}
	m.take(t, c, variant == prev.Canary && before[variant] == 0 && want > 0)
}

// covers reports whether a variant has all buckets that it had.
func covers(now, before []splitter.Range, variant string) bool {
	has := make([]bool, splitter.Buckets)
	for _, r := range now {
		for b := r.From; r.Variant == variant && b < r.To; b++ {
			has[b] = true
		}
	}
	for _, r := range before {
		if r.Variant == variant && slices.Contains(has[r.From:r.To], false) {
			return false
		}
	}
	return true
}

func (m *machine) kill(t *rapid.T) {
	k := splitter.Kill{ID: fmt.Sprintf("k%d", rapid.IntRange(1, 6).Draw(t, "id")), At: m.now,
		Variant: rapid.SampledFrom(append(m.names(), "")).Draw(t, "variant")}
	isLifted := slices.ContainsFunc(m.state.Revived, func(r splitter.Revival) bool { return r.ID == k.ID })
	isOn := slices.Contains(idsOf(m.state.Kills), k.ID)
	c, made, err := rollout.Kill(m.state, k, m.seed())
	if err != nil || made == (isLifted || isOn) {
		t.Fatalf("Kill(%s): got %v, %v; on: %v, lifted: %v", k.ID, made, err, isOn, isLifted)
	}
	if made {
		if want := append(idsOf(m.state.Kills), k.ID); !cmp.Equal(idsOf(c.State.Kills), want) {
			t.Fatalf("kills: got %v, want %v", idsOf(c.State.Kills), want)
		}
		m.take(t, c, false)
	}
}

func (m *machine) revive(t *rapid.T) {
	r := rollout.ReviveRequest{Variant: rapid.SampledFrom(append(m.names(), "")).Draw(t, "variant")}
	c, err := rollout.Revive(m.state, r, alice, m.seed())
	if errors.Is(err, rollout.ErrRefused) {
		return
	}
	if err != nil {
		t.Fatalf("Revive(%+v): %v", r, err)
	}
	for _, k := range m.state.Kills {
		lifted := slices.ContainsFunc(c.State.Revived, func(v splitter.Revival) bool { return v.ID == k.ID })
		if on := slices.Contains(idsOf(c.State.Kills), k.ID); on == lifted || on == (r.Variant == "" || r.Variant == k.Variant) {
			t.Fatalf("kill %s of %q: on %v and lifted %v after reviving %q", k.ID, k.Variant, on, lifted, r.Variant)
		}
	}
	m.take(t, c, false)
}

func (m *machine) failback(t *rapid.T) {
	prev := m.state
	c, made, err := rollout.Failback(prev, failing, alice, m.seed())
	if want := prev.Progress.Phase == splitter.PhaseTrial && prev.Weights()[prev.Canary] > 0; err != nil || made != want {
		t.Fatalf("Failback in %v of %v: got %v, %v", prev.Progress.Phase, prev.Weights(), made, err)
	}
	if !made {
		return
	}
	want := min(15*time.Minute<<min(prev.Cooldown.Failbacks, 10), 24*time.Hour)
	if got := c.State.Cooldown; got.Until.Sub(m.now) != want || got.Failbacks != prev.Cooldown.Failbacks+1 {
		t.Fatalf("cooldown: got %v at %v, want %v", got, m.now, want)
	}
	if w := c.State.Weights(); w[prev.Canary] != 0 || w[prev.Stable] != prev.Weights()[prev.Stable]+prev.Weights()[prev.Canary] {
		t.Fatalf("weights: got %v after %v", w, prev.Weights())
	}
	m.take(t, c, false)
}

func (m *machine) rename(t *rapid.T) {
	from := rapid.SampledFrom(m.names()).Draw(t, "from")
	to := fmt.Sprintf("v%d", m.n)
	c, err := rollout.Rename(m.state, from, to, alice, m.seed())
	if err != nil {
		t.Fatalf("Rename(%s, %s): %v", from, to, err)
	}
	if got, want := c.State.Weights()[to], m.state.Weights()[from]; got != want {
		t.Fatalf("weight of %s: got %v, want %v", to, got, want)
	}
	for i := range m.def.Variants {
		if m.def.Variants[i].Name == from {
			m.def.Variants[i].Name = to
		}
	}
	prev := m.state
	prev = prev.Clone()
	prev.Ranges = splitter.RenameVariant(prev.Ranges, from, to)
	c.Event.From = prev.Weights() // the old name is gone
	m.state = prev
	m.take(t, c, false)
}

// adopt swaps roles, at random.
func (m *machine) adopt(t *rapid.T) {
	names := rapid.Permutation(m.names()).Draw(t, "roles")
	r := rollout.AdoptRequest{Stable: names[0], Weights: map[string]splitter.Weight{names[0]: splitter.Full}}
	if len(names) > 1 {
		w := splitter.Weight(rapid.Uint32Range(0, splitter.Buckets).Draw(t, "weight"))
		r.Canary = names[1]
		r.Weights = map[string]splitter.Weight{names[0]: splitter.Full - w, names[1]: w}
	}
	r.Force = rapid.Bool().Draw(t, "force")
	before, prev := m.state.Weights(), m.state
	c, err := rollout.Adopt(prev, m.def, r, alice, m.seed())
	if isOlder(prev, r) {
		if !errors.Is(err, rollout.ErrRefused) {
			t.Fatalf("Adopt(%+v) over promotions %+v: got %v, want ErrRefused", r, prev.Promotions, err)
		}
		return
	}
	mayNot := prev.Canary != "" && prev.Canary != r.Stable && r.Weights[prev.Canary] > before[prev.Canary] &&
		m.now.Before(prev.Cooldown.Until)
	if mayNot != errors.Is(err, rollout.ErrCooldown) || !mayNot && err != nil {
		t.Fatalf("Adopt(%+v): got %v; in cooldown: %v", r, err, mayNot)
	}
	if err == nil {
		m.take(t, c, r.Canary != "" && before[r.Canary] == 0 && r.Weights[r.Canary] > 0)
	}
}

// isOlder reports whether roles are from before the latest promotion, and are not forced.
func isOlder(s *splitter.State, r rollout.AdoptRequest) bool {
	if r.Force || len(s.Promotions) == 0 || s.Progress.Phase == splitter.PhaseTrial && s.Canary == r.Stable {
		return false
	}
	_, has := r.Weights[s.Stable]
	return has && s.Promotions[0].Variant == s.Stable && s.Promotions[0].Before == r.Stable
}

func (m *machine) policy(t *rapid.T) {
	limits := *m.def.Policy.Failback
	limits.MinRequests = rapid.IntRange(1, 100).Draw(t, "min_requests")
	m.def.Policy.Failback = &limits
	c, err := rollout.ApplyPolicy(m.state, m.def, alice, m.seed())
	if err != nil {
		t.Fatalf("ApplyPolicy: %v", err)
	}
	m.take(t, c, false)
}

func (m *machine) version(t *rapid.T) {
	for i := range m.def.Variants {
		if m.def.Variants[i].Name == m.state.Canary {
			m.def.Variants[i].Version = rapid.SampledFrom([]string{"", "v1", "v2"}).Draw(t, "version")
		}
	}
	c, made, err := rollout.Redeclare(m.state, m.def, alice, m.seed())
	if err != nil {
		t.Fatalf("Redeclare: %v", err)
	}
	if made {
		m.take(t, c, false)
	}
}

// TestCanaryGrowsFromZero holds of two variants, whatever was done to their weights.
func TestCanaryGrowsFromZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{now: noon, n: 1, def: assistant(100, 0)}
		c, err := rollout.Create(m.def, alice, seedAt(1, noon))
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		m.state = c.State
		t.Repeat(map[string]func(*rapid.T){
			"weights":  m.weights,
			"failback": m.failback,
			"version":  m.version,
			"": func(t *rapid.T) {
				want := splitter.Range{From: 0, To: uint32(m.state.Weights()["green"]), Variant: "green"}
				if want.To > 0 && m.state.Ranges[0] != want {
					t.Fatalf("ranges: got %v, want them to begin with %v", m.state.Ranges, want)
				}
			},
		})
	})
}
