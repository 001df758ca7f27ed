package rollout_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// comparing is a split of blue and green that compares them, with the default trickle unless settings say otherwise.
func comparing(blue, green splitter.Weight, change ...func(*health.Settings)) rollout.Definition {
	def, settings := assistant(blue, green), health.DefaultSettings()
	for _, c := range change {
		c(&settings)
	}
	def.Policy.Judge = &settings
	return def
}

func noTrickle(s *health.Settings) { s.Trickle = health.Trickle{Off: true} }

// weigh asks for weights of a split that compares its variants, n minutes after noon.
func weigh(def rollout.Definition, n int, w map[string]splitter.Weight) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.SetWeights(prev, def, rollout.WeightChange{Weights: w}, alice, later(n))
	}
}

func watched(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.EndWatch(prev, rollout.By{Actor: "switchback", Via: "judge"}, later(n)))
	}
}

// kept is what stable has, in thousandths of a percent, and what is said of that.
type kept struct {
	Stable      splitter.Weight
	Keeps, Then splitter.Weight // zero if nothing is kept
	Watch       time.Duration   // from noon to when it ends; zero if it is over
}

func keptOf(s *splitter.State) kept {
	k := kept{Stable: s.Weights()[s.Stable]}
	if t := s.RunningTrickle(); t != nil {
		k.Keeps, k.Then = t.Keeps, t.Then
		if !t.Until.IsZero() {
			k.Watch = t.Until.Sub(noon)
		}
	}
	return k
}

func TestTrickle(t *testing.T) {
	def, swapped := comparing(99, 1), comparing(0, 100)
	swapped.Stable, swapped.Canary = "green", "blue"
	steady := comparing(99, 1, func(s *health.Settings) { s.Trickle.Then = s.Trickle.First })
	off := comparing(99, 1, noTrickle)
	green := func(n int, w splitter.Weight) change {
		return weigh(def, n, map[string]splitter.Weight{"green": w * percent})
	}
	watch := func(minutes time.Duration) kept { return kept{5_000, 5_000, 1_000, minutes * time.Minute} }
	over := kept{1_000, 1_000, 1_000, 0}
	file := func(n int, blue, green splitter.Weight) change { return fromFile(n, comparing(blue, green), nil) }
	policy := func(n int, def rollout.Definition) change {
		return func(prev *splitter.State) (rollout.Changed, error) {
			return rollout.ApplyPolicy(prev, def, alice, later(n))
		}
	}
	for name, tt := range map[string]struct {
		in   []change // on a State with green at 10 %
		want kept
	}{
		"to everybody":                   {[]change{green(2, 100)}, watch(17)},
		"at once":                        {[]change{green(1, 0), green(2, 100)}, watch(17)},
		"from the file":                  {[]change{file(2, 0, 100)}, watch(17)},
		"again":                          {[]change{green(2, 100), green(3, 100)}, watch(17)},
		"to the border":                  {[]change{green(2, 95)}, kept{Stable: 5_000}},
		"beyond it":                      {[]change{green(2, 97)}, kept{5_000, 5_000, 3_000, 17 * time.Minute}},
		"another wish":                   {[]change{green(2, 100), green(3, 97)}, kept{5_000, 5_000, 3_000, 17 * time.Minute}},
		"back to everybody":              {[]change{green(2, 97), green(3, 100)}, watch(17)},
		"lowered":                        {[]change{green(2, 100), green(3, 50)}, kept{Stable: 50_000}},
		"lowered to the border":          {[]change{green(2, 100), green(3, 95)}, kept{Stable: 5_000}},
		"raised again after it":          {[]change{green(2, 100), green(3, 50), green(4, 100)}, watch(19)},
		"given up":                       {[]change{green(2, 100), green(3, 0)}, kept{Stable: splitter.Full}},
		"failed back":                    {[]change{green(2, 100), failback(3)}, kept{Stable: splitter.Full}},
		"after the watch":                {[]change{green(2, 100), watched(17)}, over},
		"asked again after the watch":    {[]change{green(2, 100), watched(17), green(18, 100)}, over},
		"less asked after the watch":     {[]change{green(2, 100), watched(17), green(18, 97)}, kept{3_000, 3_000, 3_000, 0}},
		"after the watch of less":        {[]change{green(2, 97), watched(17)}, kept{3_000, 3_000, 3_000, 0}},
		"begun again after the watch":    {[]change{green(2, 100), watched(17), green(18, 90), green(19, 100)}, watch(34)},
		"a first share that stays":       {[]change{green(1, 0), weigh(steady, 2, share(0, 100))}, kept{5_000, 5_000, 5_000, 0}},
		"killed meanwhile":               {[]change{green(2, 100), kill(3, "k1", "")}, watch(17)},
		"while the split is killed":      {[]change{kill(2, "k1", ""), green(3, 100)}, watch(18)},
		"while stable is killed":         {[]change{kill(2, "k1", "blue"), green(3, 100)}, kept{}},
		"renamed":                        {[]change{green(2, 100), rename(3, "blue", "azure"), watched(17)}, over},
		"another variant beside":         {[]change{weigh(withRed(def), 2, map[string]splitter.Weight{"green": 2_000, "red": 98_000})}, kept{1_000, 1_000, 1_000, 0}},
		"nothing between the two":        {[]change{weigh(withRed(def), 2, map[string]splitter.Weight{"green": 0, "red": splitter.Full})}, kept{}},
		"adopted":                        {[]change{adopt(2, def, rollout.AdoptRequest{Stable: "blue", Canary: "green", Weights: share(0, 100)})}, watch(17)},
		"promoted":                       {[]change{green(2, 100), adopt(3, swapped, rollout.AdoptRequest{Stable: "green", Canary: "blue", Weights: share(0, 100)})}, kept{Stable: splitter.Full}},
		"another version":                {[]change{green(2, 100), watched(17), declares(def, 18, "v2")}, watch(33)},
		"another version of a small one": {[]change{declares(def, 2, "v2")}, kept{Stable: 90_000}},
		"off":                            {[]change{green(1, 0), weigh(off, 2, share(0, 100))}, kept{}},
		"turned off meanwhile":           {[]change{green(2, 100), policy(3, off)}, kept{Stable: 5_000}},
		"turned off and asked again":     {[]change{green(2, 100), policy(3, off), green(4, 100)}, kept{}},
		"turned on meanwhile":            {[]change{policy(2, off), green(3, 100), policy(4, def)}, kept{}},
		"turned on and asked again":      {[]change{policy(2, off), green(3, 100), policy(4, def), green(5, 100)}, watch(20)},
		"nothing compares":               {[]change{policy(2, assistant(99, 1)), green(3, 100)}, kept{}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, keptOf(must(t, created(t, comparing(90, 10)), tt.in...))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// withRed gives a definition a third variant.
func withRed(def rollout.Definition) rollout.Definition {
	def.Variants = append(slices.Clone(def.Variants), rollout.Variant{Name: "red"})
	return def
}

// declares loads a definition with a declared version of green.
func declares(def rollout.Definition, n int, version string) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Redeclare(prev, declaring(def, version), alice, later(n)))
	}
}

// The file of a split that nobody has a State of says what it says, down to the last user.
func TestFirstWeightsAreTheFiles(t *testing.T) {
	if got := keptOf(created(t, comparing(0, 100))); got != (kept{}) {
		t.Errorf("got %+v, want nothing kept", got)
	}
}

// A watch ends once, not before its time, and not if somebody has other wishes by then.
func TestWatchEnds(t *testing.T) {
	all := must(t, created(t, comparing(90, 10)), weigh(comparing(90, 10), 2, share(0, 100)))
	first := must(t, all, watched(17))
	for name, prev := range map[string]*splitter.State{
		"no watch": created(t, comparing(0, 100)),
		"done":     first,
		"lowered":  must(t, all, weigh(comparing(90, 10), 3, share(40, 60))),
		"failed":   must(t, all, failback(3)),
		"a release that does not know it": func() *splitter.State {
			s := all.Clone()
			s.Ranges = []splitter.Range{{From: 0, To: 40_000, Variant: "green"}, {From: 40_000, To: splitter.Buckets, Variant: "blue"}}
			return s
		}(),
		"another trial of it": func() *splitter.State {
			s := all.Clone()
			s.Epoch++
			return s
		}(),
		"a newer schema": func() *splitter.State {
			s := all.Clone()
			s.Schema++
			return s
		}(),
	} {
		if c, ok, err := rollout.EndWatch(prev, alice, later(60)); ok || err != nil {
			t.Errorf("%s: got %+v, %v, want nothing", name, c.State, err)
		}
	}
	if c, ok, err := rollout.EndWatch(all, alice, seedAt(3, noon.Add(17*time.Minute-1))); ok || err != nil {
		t.Errorf("too early: got %+v, %v, want nothing", c.State, err)
	}
	if got := first.Changed; got.Kind != "trickle" || got.Reason != "the watch is over: blue keeps 1% until the promotion" {
		t.Errorf("event: got %+v, want a trickle that says what stable keeps", got)
	}
	if got := splitter.Taken(all.Ranges, first.Ranges, "green"); len(got) > 0 {
		t.Errorf("taken from green: got %v, want nothing", got)
	}
}

// Whatever is asked for, stable keeps its part, and asking again changes nothing.
func TestTrickleHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		def := comparing(90, 10, func(s *health.Settings) {
			s.Trickle.First = rapid.Float64Range(0.001, 0.5).Draw(t, "first")
			s.Trickle.Then = s.Trickle.First * rapid.Float64Range(0.1, 1).Draw(t, "then")
		})
		s := created(t, def)
		for n := range rapid.IntRange(1, 8).Draw(t, "steps") {
			asked := splitter.Weight(rapid.SampledFrom([]uint32{0, 1, 50_000, 94_999, 95_000, 99_000, 99_999, 100_000}).Draw(t, "green"))
			w := map[string]splitter.Weight{"green": asked}
			c, err := rollout.SetWeights(s, def, rollout.WeightChange{Weights: w}, alice, later(10*n))
			if err != nil {
				t.Fatal(err)
			}
			s = c.State
			checkKept(t, s, asked, def.Policy.Judge.Trickle)
			again, err := rollout.SetWeights(s, def, rollout.WeightChange{Weights: w}, alice, later(10*n+1))
			if err != nil || !cmp.Equal(again.State.Ranges, s.Ranges) || !reflect.DeepEqual(again.State.Trickle, s.Trickle) {
				t.Fatalf("asked again: got %v, %+v, %v, want %v, %+v", again.State.Ranges, again.State.Trickle, err, s.Ranges, s.Trickle)
			}
			if c, ok, err := rollout.EndWatch(s, alice, later(10*n+2)); ok || err != nil {
				s = c.State
			}
		}
	})
}

// checkKept expects that stable has what the canary was asked to leave, or what it keeps.
func checkKept(t *rapid.T, s *splitter.State, asked splitter.Weight, settings health.Trickle) {
	t.Helper()
	has, left := s.Weights()["blue"], splitter.Full-asked
	least := splitter.Weight(settings.Then*float64(splitter.Full)) - 1
	switch running := s.RunningTrickle(); {
	case has < left || has < min(least, splitter.Full):
		t.Errorf("green was to have %s: blue has %s, want at least %s and %s", asked, has, left, least)
	case running == nil && has != left:
		t.Errorf("green was to have %s: blue has %s, want the rest", asked, has)
	case running != nil && (!s.IsTrickling() || running.Then < left):
		t.Errorf("green was to have %s: blue has %s and keeps %+v", asked, has, running)
	}
}

// All instances see the end of the watch; one writes it. Whoever asks is told what stable keeps.
func TestTrickleOfAFleet(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, comparing(90, 10))
		elapse(time.Second)
		for _, want := range []string{"", "the weights are so already; "} {
			want += "stable keeps 5% for 15m and then 1% until the promotion, so that a shared outage can be told from a bad " +
				"canary: `trickle off` in the block `judge` keeps none"
			if r, err := fleet[0].tries(100); err != nil || r.Note != want {
				t.Errorf("note: got %q, %v, want %q", r.Note, err, want)
			}
		}
		elapse(time.Second)
		notes := strings.Join(fleet[1].status(t).Notes, "\n")
		if !strings.Contains(notes, "blue keeps 5% until 2000-01-01 00:15:01 UTC, and then 1% until the promotion") {
			t.Errorf("notes: got %q", notes)
		}
		fleet[2].wants(t, "during the watch", 95, true)
		elapse(14 * time.Minute)
		fleet[2].wants(t, "late in the watch", 95, true)
		elapse(time.Minute)
		for _, p := range fleet {
			p.wants(t, "after the watch", 99, true)
		}
		elapse(10 * time.Minute)
		if got, want := kinds(t, s), []string{"created", "weights", "trickle"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		if got := stored(t, s).Changed; got.Actor != "switchback" || got.Via != "judge" {
			t.Errorf("written by: got %+v", got)
		}
	})
}

// An instance that was away catches up with the end of a watch.
func TestWatchEndsWithoutWhoBeganIt(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, comparing(90, 10))
		elapse(time.Second)
		fleet[0].set(t, 100)
		fleet[0].link.set(away)
		elapse(16 * time.Minute)
		fleet[0].wants(t, "away", 95, true)
		fleet[1].wants(t, "in touch", 99, true)
		fleet[0].link.set(none)
		elapse(3 * time.Second)
		fleet[0].wants(t, "back", 99, true)
		if got, want := kinds(t, s), []string{"created", "weights", "trickle", "store_back"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

func TestNotesOnTheBaseline(t *testing.T) {
	const outage = "no traffic stays on blue: the judge cannot tell a shared outage"
	for name, tt := range map[string]struct {
		file, split rollout.Definition
		ask         splitter.Weight
		want, not   string
	}{
		"trickle off":         {comparing(90, 10), comparing(90, 10, noTrickle), 100, outage, "blue keeps"},
		"some traffic":        {comparing(90, 10), comparing(90, 10, noTrickle), 99, "the file says green 10%", outage},
		"nothing compares":    {comparing(90, 10), assistant(90, 10), 100, "the file says green 10%", outage},
		"a file that asks it": {comparing(0, 100), comparing(90, 10), 100, "blue keeps 5%", "the file says green"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", tt.split)
				elapse(time.Second)
				if _, err := p.tries(tt.ask); err != nil {
					t.Fatal(err)
				}
				other := start(t, s, "proxy-2", tt.file)
				elapse(time.Second)
				notes := strings.Join(other.status(t).Notes, "\n")
				if !strings.Contains(notes, tt.want) || strings.Contains(notes, tt.not) {
					t.Errorf("got %q, want %q in it and not %q", notes, tt.want, tt.not)
				}
			})
		})
	}
}
