package rollout_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// noon is when changes without a clock happen.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// percent is one percent.
const percent = splitter.Full / 100

var alice = rollout.By{Actor: "alice", Via: "socket", Reason: "trying"}

// assistant is a split of blue and green with the default limits.
func assistant(blue, green splitter.Weight) rollout.Definition {
	limits := health.DefaultLimits()
	return rollout.Definition{
		Name: "assistant", Stable: "blue", Canary: "green",
		Variants: []rollout.Variant{{Name: "blue", Weight: blue * percent}, {Name: "green", Weight: green * percent}},
		Policy:   rollout.Policy{Failback: &limits, Cooldown: health.Duration(15 * time.Minute)},
	}
}

// declaring returns the definition with a declared version of green.
func declaring(def rollout.Definition, version string) rollout.Definition {
	variants := append([]rollout.Variant{}, def.Variants...)
	for i := range variants {
		if variants[i].Name == "green" {
			variants[i].Version = version
		}
	}
	def.Variants = variants
	return def
}

// seedAt is the seed of the n-th change.
func seedAt(n int, at time.Time) rollout.Seed {
	return rollout.Seed{Now: at, ID: fmt.Sprintf("change-%d", n), Salt: fmt.Sprintf("salt-%d", n)}
}

// created returns a definition's first State.
func created(t rapid.TB, def rollout.Definition) *splitter.State {
	t.Helper()
	c, err := rollout.Create(def, alice, seedAt(1, noon))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return c.State
}

// encode returns v as JSON.
func encode(t testing.TB, v any) string {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encoding %v: %v", v, err)
	}
	return string(doc)
}

// failing is a verdict that fails a canary.
var failing = health.Verdict{Result: health.Fail, Reason: "30 of 40 failed"}

// gist is what a change comes to, without what every change has.
type gist struct {
	Kind      string
	Epoch     uint64
	Salt      string
	Roles     string // stable/canary
	Weights   map[string]splitter.Weight
	Phase     splitter.Phase
	Kills     []string // id:variant
	Revived   []string
	Failbacks int
	Cooldown  time.Duration // from the change on
	Declared  map[string]string
}

func gistOf(s *splitter.State) gist {
	g := gist{Kind: s.Changed.Kind, Epoch: s.Epoch, Salt: s.Salt, Roles: s.Stable + "/" + s.Canary, Weights: s.Weights(),
		Phase: s.Progress.Phase, Failbacks: s.Cooldown.Failbacks, Declared: s.Declared}
	for _, k := range s.Kills {
		g.Kills = append(g.Kills, k.ID+":"+k.Variant)
	}
	for _, r := range s.Revived {
		g.Revived = append(g.Revived, r.ID)
	}
	if !s.Cooldown.Until.IsZero() {
		g.Cooldown = s.Cooldown.Until.Sub(s.Changed.At)
	}
	return g
}

// withoutJudge returns the definition with nothing that is judged: for long times in which nothing hangs on it.
func withoutJudge(def rollout.Definition) rollout.Definition {
	def.Policy.Failback, def.Policy.Judge = nil, nil
	return def
}
