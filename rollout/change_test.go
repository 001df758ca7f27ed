package rollout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// change is one change of a State, without what it is made of.
type change func(prev *splitter.State) (rollout.Changed, error)

// must takes a change's State, for chains of changes in tables.
func must(t *testing.T, prev *splitter.State, changes ...change) *splitter.State {
	t.Helper()
	for i, f := range changes {
		c, err := f(prev)
		if err != nil {
			t.Fatalf("change %d of the chain: %v", i, err)
		}
		prev = c.State
	}
	return prev
}

// was always makes the change that a function reports as made or not.
func was(c rollout.Changed, made bool, err error) (rollout.Changed, error) {
	if err == nil && !made {
		return c, errNothing
	}
	return c, err
}

// errNothing is what a table expects of a change that is none.
var errNothing = errors.New("nothing to change")

// later is the seed of a change n minutes after noon.
func later(n int) rollout.Seed { return seedAt(n, noon.Add(time.Duration(n)*time.Minute)) }

func weights(n int, w map[string]splitter.Weight) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.SetWeights(prev, assistant(99, 1), rollout.WeightChange{Weights: w}, alice, later(n))
	}
}

func green(n int, w splitter.Weight) change {
	return weights(n, map[string]splitter.Weight{"green": w * percent})
}

func forced(n int, w splitter.Weight) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		c := rollout.WeightChange{Weights: map[string]splitter.Weight{"green": w * percent}, Force: true}
		return rollout.SetWeights(prev, assistant(99, 1), c, alice, later(n))
	}
}

func fromFile(n int, def rollout.Definition, w map[string]splitter.Weight) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.SetWeights(prev, def, rollout.WeightChange{FromFile: true, Weights: w}, alice, later(n))
	}
}

func failback(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Failback(prev, failing, rollout.By{Actor: "switchback"}, later(n)))
	}
}

func kill(n int, id, variant string) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Kill(prev, splitter.Kill{ID: id, Variant: variant, At: noon}, later(n)))
	}
}

func revive(n int, r rollout.ReviveRequest) change {
	return func(prev *splitter.State) (rollout.Changed, error) { return rollout.Revive(prev, r, alice, later(n)) }
}

func rename(n int, from, to string) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Rename(prev, from, to, alice, later(n))
	}
}

func adopt(n int, def rollout.Definition, r rollout.AdoptRequest) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Adopt(prev, def, r, alice, later(n))
	}
}

func redeclare(n int, version string) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Redeclare(prev, declaring(assistant(99, 1), version), alice, later(n)))
	}
}

// share is a map of weights in percent.
func share(blue, green splitter.Weight) map[string]splitter.Weight {
	w := map[string]splitter.Weight{}
	for name, v := range map[string]splitter.Weight{"blue": blue, "green": green} {
		if v > 0 {
			w[name] = v * percent
		}
	}
	return w
}

const (
	idle       = splitter.PhaseIdle
	trial      = splitter.PhaseTrial
	failedBack = splitter.PhaseFailedBack
)

func TestChanges(t *testing.T) {
	swapped := assistant(0, 100)
	swapped.Stable, swapped.Canary = "green", "blue"
	v2 := map[string]string{"green": "v2"}
	for name, tt := range map[string]struct {
		in   []change // on a State with green at 10 %; the last one is looked at
		want gist
	}{
		"raise": {[]change{green(2, 25)}, gist{Kind: "weights", Epoch: 1, Salt: "salt-1", Weights: share(75, 25), Phase: trial}},
		"raise to all": {[]change{green(2, 100)},
			gist{Kind: "weights", Epoch: 1, Salt: "salt-1", Weights: share(0, 100), Phase: trial}},
		"lower": {[]change{green(2, 1)}, gist{Kind: "weights", Epoch: 1, Salt: "salt-1", Weights: share(99, 1), Phase: trial}},
		"abort": {[]change{green(2, 0)}, gist{Kind: "weights", Epoch: 1, Salt: "salt-1", Weights: share(100, 0), Phase: idle}},
		"begin again": {[]change{green(2, 0), green(3, 5)},
			gist{Kind: "weights", Epoch: 2, Salt: "salt-3", Weights: share(95, 5), Phase: trial}},
		"both named": {[]change{weights(2, share(80, 20))},
			gist{Kind: "weights", Epoch: 1, Salt: "salt-1", Weights: share(80, 20), Phase: trial}},
		"from file": {[]change{fromFile(2, assistant(60, 40), nil)},
			gist{Kind: "weights", Epoch: 1, Salt: "salt-1", Weights: share(60, 40), Phase: trial}},
		"failback": {[]change{failback(2)}, gist{Kind: "failback", Epoch: 1, Salt: "salt-1", Weights: share(100, 0),
			Phase: failedBack, Failbacks: 1, Cooldown: 15 * time.Minute}},
		"failback of everybody": {[]change{green(2, 100), failback(3)}, gist{Kind: "failback", Epoch: 1, Salt: "salt-1",
			Weights: share(100, 0), Phase: failedBack, Failbacks: 1, Cooldown: 15 * time.Minute}},
		"forced in cooldown": {[]change{failback(2), forced(3, 10)}, gist{Kind: "weights", Epoch: 2, Salt: "salt-3",
			Weights: share(90, 10), Phase: trial, Failbacks: 1, Cooldown: 14 * time.Minute}},
		"as the cooldown ends": {[]change{failback(2), green(17, 10)},
			gist{Kind: "weights", Epoch: 2, Salt: "salt-17", Weights: share(90, 10), Phase: trial, Failbacks: 1}},
		"second failback": {[]change{failback(2), forced(3, 10), failback(4)}, gist{Kind: "failback", Epoch: 2, Salt: "salt-3",
			Weights: share(100, 0), Phase: failedBack, Failbacks: 2, Cooldown: 30 * time.Minute}},
		"still failed back": {[]change{failback(2), green(3, 0)}, gist{Kind: "weights", Epoch: 1, Salt: "salt-1",
			Weights: share(100, 0), Phase: failedBack, Failbacks: 1, Cooldown: 14 * time.Minute}},
		"kill": {[]change{kill(2, "k1", "green")}, gist{Kind: "kill", Epoch: 1, Salt: "salt-1", Weights: share(90, 10),
			Phase: trial, Kills: []string{"k1:green"}}},
		"revive by id": {[]change{kill(2, "k1", "green"), kill(3, "k2", ""), revive(4, rollout.ReviveRequest{IDs: []string{"k1"}})},
			gist{Kind: "revive", Epoch: 1, Salt: "salt-1", Weights: share(90, 10), Phase: trial, Kills: []string{"k2:"},
				Revived: []string{"k1"}}},
		"revive a variant": {[]change{kill(2, "k1", "green"), kill(3, "k2", ""), revive(4, rollout.ReviveRequest{Variant: "green"})},
			gist{Kind: "revive", Epoch: 1, Salt: "salt-1", Weights: share(90, 10), Phase: trial, Kills: []string{"k2:"},
				Revived: []string{"k1"}}},
		"revive all": {[]change{kill(2, "k1", "green"), kill(3, "k2", ""), revive(4, rollout.ReviveRequest{})},
			gist{Kind: "revive", Epoch: 1, Salt: "salt-1", Weights: share(90, 10), Phase: trial, Revived: []string{"k1", "k2"}}},
		"revivals are forgotten after 90 days": {[]change{kill(2, "k1", "green"), revive(3, rollout.ReviveRequest{}),
			kill(4, "k2", ""), revive(4+90*24*60, rollout.ReviveRequest{})},
			gist{Kind: "revive", Epoch: 1, Salt: "salt-1", Weights: share(90, 10), Phase: trial, Revived: []string{"k2"}}},
		"rename": {[]change{redeclare(2, "v2"), kill(3, "k1", "green"), rename(4, "green", "emerald")},
			gist{Kind: "renamed", Epoch: 2, Salt: "salt-1", Roles: "blue/emerald", Phase: trial, Kills: []string{"k1:emerald"},
				Weights:  map[string]splitter.Weight{"blue": 90 * percent, "emerald": 10 * percent},
				Declared: map[string]string{"emerald": "v2"}}},
		"adopt the file": {[]change{adopt(2, swapped, rollout.AdoptRequest{})},
			gist{Kind: "adopted", Epoch: 2, Salt: "salt-1", Roles: "green/blue", Weights: share(0, 100), Phase: idle}},
		"promotion ends the cooldown": {[]change{failback(2), forced(3, 100), adopt(4, swapped, rollout.AdoptRequest{})},
			gist{Kind: "adopted", Epoch: 3, Salt: "salt-3", Roles: "green/blue", Weights: share(0, 100), Phase: idle}},
		"adopting what failed is no promotion": {[]change{failback(2), adopt(3, swapped, rollout.AdoptRequest{})},
			gist{Kind: "adopted", Epoch: 2, Salt: "salt-1", Roles: "green/blue", Weights: share(0, 100), Phase: idle,
				Failbacks: 1, Cooldown: 14 * time.Minute}},
		"adopt begins with a fresh salt": {[]change{green(2, 0), adopt(3, assistant(90, 10), rollout.AdoptRequest{})},
			gist{Kind: "adopted", Epoch: 2, Salt: "salt-3", Weights: share(90, 10), Phase: trial}},
		"adopt roles": {[]change{adopt(2, swapped, rollout.AdoptRequest{Stable: "red"})},
			gist{Kind: "adopted", Epoch: 2, Salt: "salt-1", Roles: "red/", Phase: idle,
				Weights: map[string]splitter.Weight{"red": splitter.Full}}},
		"another version": {[]change{redeclare(2, "v2")}, gist{Kind: "version", Epoch: 2, Salt: "salt-1",
			Weights: share(90, 10), Phase: trial, Declared: v2}},
		"another version after a failback": {[]change{failback(2), redeclare(3, "v2")}, gist{Kind: "version", Epoch: 2,
			Salt: "salt-1", Weights: share(100, 0), Phase: idle, Failbacks: 1, Cooldown: 14 * time.Minute, Declared: v2}},
	} {
		t.Run(name, func(t *testing.T) {
			got := gistOf(must(t, created(t, assistant(90, 10)), tt.in...))
			if tt.want.Roles == "" {
				tt.want.Roles = "blue/green"
			}
			if tt.want.Cooldown == 0 {
				got.Cooldown = max(got.Cooldown, 0)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("got %+v, want %+v (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	foreign := assistant(99, 1)
	foreign.Stable, foreign.Canary = "green", ""
	foreign.Variants = []rollout.Variant{{Name: "green", Weight: splitter.Full}}
	for name, tt := range map[string]struct {
		in   []change // on a State with green at 10 %; the last one is refused
		want error
		say  string // part of the sentence
	}{
		"unknown variant": {[]change{weights(2, map[string]splitter.Weight{"red": percent})}, rollout.ErrUnknownVariant,
			`"red" is not a variant of "assistant"; it has ["blue" "green"]`},
		"no weight":         {[]change{weights(2, nil)}, rollout.ErrInvalid, "no weight is named"},
		"more than all":     {[]change{green(2, 101)}, rollout.ErrInvalid, `weight 101% of "green": must be at most 100%`},
		"too little in sum": {[]change{weights(2, share(80, 10))}, rollout.ErrInvalid, "weights add up to 90%"},
		"too much in sum":   {[]change{weights(2, share(95, 10))}, rollout.ErrInvalid, "weights add up to 105%"},
		"file and names":    {[]change{fromFile(2, assistant(99, 1), share(99, 1))}, rollout.ErrInvalid, "choose one"},
		"file without stable": {[]change{fromFile(2, foreign, nil)}, rollout.ErrRefused,
			`the file has ["green"] and not "blue" (stable by the state)`},
		"cooldown": {[]change{failback(2), green(16, 10)}, rollout.ErrCooldown, `after a failback "green" may not be increased ` +
			"before 2026-11-22 12:17:00 UTC (in 1m0s); use force"},
		"adopt in cooldown": {[]change{failback(2), adopt(3, assistant(90, 10), rollout.AdoptRequest{})}, rollout.ErrCooldown,
			`after a failback "green"`},
		"failback of nothing": {[]change{green(2, 0), failback(3)}, errNothing, ""},
		"failback twice":      {[]change{failback(2), failback(3)}, errNothing, ""},
		"kill twice":          {[]change{kill(2, "k1", ""), kill(3, "k1", "")}, errNothing, ""},
		"kill that was lifted": {[]change{kill(2, "k1", ""), revive(3, rollout.ReviveRequest{}), kill(4, "k1", "")},
			errNothing, ""},
		"kill without an id": {[]change{kill(2, "", "")}, rollout.ErrInvalid, "has no id"},
		"revive nothing":     {[]change{revive(2, rollout.ReviveRequest{})}, rollout.ErrRefused, `no kill of "assistant" is on`},
		"rename nobody":      {[]change{rename(2, "red", "pink")}, rollout.ErrUnknownVariant, `"red"`},
		"rename to a variant": {[]change{rename(2, "green", "blue")}, rollout.ErrRefused,
			`"blue" is a variant of "assistant" already`},
		"rename to no name": {[]change{rename(2, "green", "Green!")}, rollout.ErrInvalid, `"Green!" is not a name`},
		"adopt no stable": {[]change{adopt(2, assistant(99, 1), rollout.AdoptRequest{Canary: "green"})}, rollout.ErrInvalid,
			"name no stable variant"},
		"adopt one for both": {[]change{adopt(2, assistant(99, 1), rollout.AdoptRequest{Stable: "blue", Canary: "blue"})},
			rollout.ErrInvalid, "stable already"},
		"adopt a bad sum": {[]change{adopt(2, assistant(99, 1), rollout.AdoptRequest{Stable: "blue", Weights: share(50, 10)})},
			rollout.ErrInvalid, "add up to"},
		"the same version": {[]change{redeclare(2, "v2"), redeclare(3, "v2")}, errNothing, ""},
		"no version":       {[]change{redeclare(2, "v2"), redeclare(3, "")}, errNothing, ""},
	} {
		t.Run(name, func(t *testing.T) {
			last := len(tt.in) - 1
			prev := must(t, created(t, assistant(90, 10)), tt.in[:last]...)
			got, err := tt.in[last](prev)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %+v, %v, want %v with %q", got, err, tt.want, tt.say)
			}
		})
	}
}

func TestNewKill(t *testing.T) {
	state := created(t, assistant(90, 10))
	for name, tt := range map[string]struct {
		in      *splitter.State
		request rollout.KillRequest
		want    string // the kill's variant
		err     error
	}{
		"split":             {state, rollout.KillRequest{}, "", nil},
		"canary":            {state, rollout.KillRequest{Variant: "green", Level: splitter.KillCut}, "green", nil},
		"stable":            {state, rollout.KillRequest{Variant: "blue"}, "", rollout.ErrRefused},
		"stable means all":  {state, rollout.KillRequest{Variant: "blue", All: true}, "", nil},
		"unknown":           {state, rollout.KillRequest{Variant: "red"}, "", rollout.ErrUnknownVariant},
		"unknown level":     {state, rollout.KillRequest{Level: 9}, "", rollout.ErrInvalid},
		"blind":             {nil, rollout.KillRequest{Variant: "green"}, "green", nil},
		"blind, stable":     {nil, rollout.KillRequest{Variant: "blue"}, "", rollout.ErrRefused},
		"blind, of nothing": {nil, rollout.KillRequest{Variant: "red"}, "", rollout.ErrUnknownVariant},
	} {
		got, err := rollout.NewKill(tt.in, assistant(90, 10), tt.request, alice, seedAt(7, noon))
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v, want %v", name, err, tt.err)
		}
		want := splitter.Kill{ID: "change-7", Variant: tt.want, Level: tt.request.Level, Reason: alice.Reason,
			Actor: alice.Actor, Via: alice.Via, At: noon}
		if err == nil && encode(t, got) != encode(t, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestCreateRefusesWhatIsNoSplit(t *testing.T) {
	for name, spoil := range map[string]func(*rollout.Definition){
		"sum":    func(d *rollout.Definition) { d.Variants[0].Weight = 1 },
		"stable": func(d *rollout.Definition) { d.Stable = "" },
		"name":   func(d *rollout.Definition) { d.Name = "../assistant" },
	} {
		def := assistant(90, 10)
		spoil(&def)
		if got, err := rollout.Create(def, alice, seedAt(1, noon)); !errors.Is(err, rollout.ErrInvalid) {
			t.Errorf("%s: got %+v, %v, want ErrInvalid", name, got, err)
		}
	}
}

func TestPolicyIsFrozenUntilApplied(t *testing.T) {
	def := assistant(90, 10)
	state := created(t, def)
	def.Policy.Failback.MaxErrorRate = 0.5
	raised, err := rollout.SetWeights(state, def, rollout.WeightChange{Weights: share(80, 20)}, alice, later(2))
	if err != nil || string(raised.State.Policy) != string(state.Policy) {
		t.Errorf("weights: got policy %s, %v, want %s", raised.State.Policy, err, state.Policy)
	}
	applied, err := rollout.ApplyPolicy(state, def, alice, later(2))
	if err != nil || !strings.Contains(string(applied.State.Policy), "0.5") || applied.State.Epoch != 1 {
		t.Errorf("policy: got %s in epoch %d, %v, want 0.5 in epoch 1", applied.State.Policy, applied.State.Epoch, err)
	}
}

func TestCooldownDoubles(t *testing.T) {
	for _, tt := range []struct {
		first    time.Duration
		failback int // how many came before
		want     time.Duration
	}{
		{0, 3, 0},
		{15 * time.Minute, 0, 15 * time.Minute},
		{15 * time.Minute, 1, 30 * time.Minute},
		{15 * time.Minute, 6, 16 * time.Hour},
		{15 * time.Minute, 7, 24 * time.Hour},
		{15 * time.Minute, 1_000_000, 24 * time.Hour},
		{48 * time.Hour, 0, 24 * time.Hour},
	} {
		def := assistant(90, 10)
		def.Policy.Cooldown = health.Duration(tt.first)
		prev := created(t, def)
		prev.Cooldown.Failbacks = tt.failback
		got, _, err := rollout.Failback(prev, failing, alice, seedAt(2, noon))
		if err != nil || got.State.Cooldown.Until.Sub(noon) != tt.want {
			t.Errorf("%v after %d failbacks: got %v, %v, want %v", tt.first, tt.failback, got.State.Cooldown, err, tt.want)
		}
	}
}
