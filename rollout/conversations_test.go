package rollout_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// talking returns the definition with conversations that are held for two minutes.
func talking(def rollout.Definition) rollout.Definition {
	def.Conversations = &rollout.ConversationPolicy{Hold: health.Duration(held), OnFailback: rollout.OnFailbackMove}
	return def
}

// finishing is talking for a variant that was failed back, or given up, as well.
func finishing(def rollout.Definition) rollout.Definition {
	def = talking(def)
	def.Conversations.OnFailback = rollout.OnFailbackFinish
	return def
}

func conversation(n int) (id rollout.ConversationID) {
	sum := sha256.Sum256(fmt.Append(nil, n))
	copy(id.Hash[:], sum[:])
	id.Place = binary.BigEndian.Uint16(sum[len(id.Hash):])
	return id
}

// held is for how long conversations are held in these tests.
const held = 2 * time.Minute

var onGreen, onBlue = splitter.Pin{Variant: "green", Epoch: 1}, splitter.Pin{Variant: "blue", Epoch: 2}

func TestConversationsAreKnownForTheirTime(t *testing.T) {
	var c rollout.Conversations
	find := func(after time.Duration, want splitter.Pin) {
		t.Helper()
		got, ok := c.Find(conversation(1), noon.Add(after))
		if got != want || ok != (want != splitter.Pin{}) {
			t.Errorf("after %v: got %v, %t, want %v", after, got, ok, want)
		}
	}
	find(0, splitter.Pin{})
	c.Note(conversation(1), onGreen, held, false, noon)
	find(held, onGreen)
	c.Note(conversation(1), splitter.Pin{Variant: "green", Epoch: 9}, held, false, noon.Add(held-time.Second))
	find(2*held-time.Second, onGreen) // it is refreshed, and began in epoch 1 all the same
	c.Note(conversation(1), onBlue, held, false, noon.Add(2*held))
	find(2*held+time.Second, onBlue)
	find(2*time.Hour, splitter.Pin{})
}

// However many conversations somebody makes up, those that go on stay known, and memory is bounded.
func TestConversationsAreBounded(t *testing.T) {
	var c rollout.Conversations
	c.Note(conversation(0), onGreen, held, false, noon)
	const many = 200_000
	for i := 1; i < many; i++ {
		c.Note(conversation(i), onBlue, held, false, noon)
	}
	if got, _ := c.Find(conversation(0), noon); got != onGreen {
		t.Errorf("the first one: got %v, want %v", got, onGreen)
	}
	known := 0
	for i := range many {
		if _, ok := c.Find(conversation(i), noon); ok {
			known++
		}
	}
	if known > 1<<17 || known < 1<<17*9/10 || uint64(many-known) != c.Dropped() {
		t.Errorf("got %d known and %d dropped of %d", known, c.Dropped(), many)
	}
	later := noon.Add(time.Hour)
	c.Note(conversation(many), onBlue, held, false, later)
	if _, ok := c.Find(conversation(many), later); !ok {
		t.Error("a conversation after the others are over is not known")
	}
}

func TestConversationsAreFoundByOthers(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		one, two := start(t, s, "proxy-1", talking(assistant(50, 50))), start(t, s, "proxy-2", talking(assistant(50, 50)))
		elapse(time.Second)
		look := func(want splitter.Pin, result rollout.LookUp) {
			t.Helper()
			pin, got := two.LookUp(t.Context(), two.at.Split(), []rollout.ConversationID{conversation(2), conversation(1)})
			if pin != want || got != result {
				t.Errorf("got %v, %v, want %v, %v", pin, got, want, result)
			}
		}
		look(splitter.Pin{}, rollout.LookUpNone)
		talks := &one.at.Split().Conversations
		talks.Note(conversation(1), onGreen, held, false, time.Now())
		elapse(time.Second)
		look(onGreen, rollout.LookUpFound)

		// Another instance that saw it for new leaves it where it began; one that saw it moved does not.
		late := &two.at.Split().Conversations
		late.Note(conversation(1), onBlue, held, true, time.Now())
		elapse(time.Second)
		look(onGreen, rollout.LookUpFound)
		talks.Note(conversation(1), onBlue, held, false, time.Now())
		elapse(time.Second)
		look(onBlue, rollout.LookUpFound)

		elapse(2 * held)
		look(splitter.Pin{}, rollout.LookUpNone)
		if got := two.at.Split().Conversations.LookUps(rollout.LookUpFound); got != 3 {
			t.Errorf("look-ups that found: got %d, want 3", got)
		}
	})
}

func TestLookUpsWaitForNoStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", talking(assistant(50, 50)))
		elapse(time.Second)
		p.at.Split().Conversations.Note(conversation(1), onGreen, held, false, time.Now())
		look := func(result rollout.LookUp, longest time.Duration) {
			t.Helper()
			begin := time.Now()
			if _, got := p.LookUp(t.Context(), p.at.Split(), []rollout.ConversationID{conversation(1)}); got != result {
				t.Errorf("got %v, want %v", got, result)
			}
			if took := time.Since(begin); took > longest {
				t.Errorf("%v: took %v, want at most %v", result, took, longest)
			}
		}
		p.link.set(hung)
		look(rollout.LookUpLate, 5*time.Millisecond)
		p.link.set(away)
		look(rollout.LookUpFailed, 0)
		elapse(3 * time.Second)
		look(rollout.LookUpAway, 0)
		p.link.set(none)
		elapse(3 * time.Second)
		look(rollout.LookUpFound, 0) // what waited was written
	})
}

func TestStatusAddsUpTheFleet(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		one, two := start(t, s, "proxy-1", talking(assistant(50, 50))), start(t, s, "proxy-2", talking(assistant(50, 50)))
		elapse(time.Second)
		for i, p := range []*proxy{one, two, two} {
			p.at.Split().Conversations.Note(conversation(i), onGreen, held, false, time.Now())
			p.at.Split().Flights.Add(&health.Flight{Variant: "green"})
		}
		elapse(12 * time.Second)
		for _, v := range one.status(t).Variants {
			want := map[string][3]int{"blue": {}, "green": {1, 3, 3}}[v.Name]
			if got := [3]int{v.InFlight, v.FleetInFlight, v.Conversations}; got != want {
				t.Errorf("%s: got %v in flight here, in the fleet, and conversations, want %v", v.Name, got, want)
			}
		}
	})
}

// Who gives up a trial by hand is told what becomes of its conversations: what a failback would let become of them.
func TestAbortLetsConversationsGo(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		moves := start(t, s, "proxy-1", talking(assistant(50, 50)))
		finishes, silent := start(t, s, "proxy-2", finishing(assistant(50, 50))), start(t, s, "proxy-3", assistant(50, 50))
		elapse(time.Second)
		stays := func(note, until string) {
			t.Helper()
			if want := "conversations may stay on " + until; note != want {
				t.Errorf("note: got %q, want %q", note, want)
			}
		}
		stays(moves.set(t, 40).Note, "green until 00:02:01 UTC")
		stays(finishes.set(t, 0).Note, "green until 00:02:01 UTC")
		elapse(time.Second)
		finishes.set(t, 30)
		elapse(time.Second)
		if got, want := moves.set(t, 0).Note, "conversations on green go on elsewhere with their next turn"; got != want {
			t.Errorf("note: got %q, want %q", got, want)
		}
		elapse(time.Second)
		for _, m := range moves.at.Split().State().Moved {
			if m.Failed != (m.Variant == "green") {
				t.Errorf("move %+v: failed must be what the canary lost", m)
			}
		}
		if got := silent.set(t, 20).Note; got != "" {
			t.Errorf("note without conversations: got %q, want none", got)
		}
	})
}

// A variant that another member's file sends somebody to is in use, whatever it weighs.
func TestOverriddenIsNotDrained(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		special := assistant(100, 0)
		special.Overrides = []string{"green"}
		one, two := start(t, s, "proxy-1", assistant(100, 0)), start(t, s, "proxy-2", special)
		elapse(time.Second)
		drained := func() rollout.DrainStatus {
			t.Helper()
			got, err := one.Drained(t.Context(), "assistant", "green")
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		want := []string{"an override in the file of proxy-2 leads to it"}
		if got := drained(); got.Result != rollout.DrainInUse || !cmp.Equal(got.Why, want) {
			t.Errorf("got %+v, want it in use for %q", got, want)
		}
		if err := two.Close(); err != nil {
			t.Fatal(err)
		}
		if got := drained(); got.Result != rollout.Drained {
			t.Errorf("without the override: got %+v, want it drained", got)
		}
	})
}

func TestDrained(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		one, two := start(t, s, "proxy-1", finishing(assistant(50, 50))), start(t, s, "proxy-2", assistant(50, 50))
		elapse(time.Second)
		is := func(variant string, want rollout.Drain, why ...string) {
			t.Helper()
			got, err := two.Drained(t.Context(), "assistant", variant)
			if err != nil || got.Result != want || len(got.Why) != len(why) {
				t.Errorf("%s: got %+v, %v, want %s for %q", variant, got, err, want, why)
			}
			for i := range min(len(why), len(got.Why)) {
				if !strings.Contains(got.Why[i], why[i]) {
					t.Errorf("%s: got %q, want %q in it", variant, got.Why[i], why[i])
				}
			}
		}
		is("blue", rollout.DrainInUse, "it is stable", "it has 50%")
		is("green", rollout.DrainInUse, "it has 50%")
		f := &health.Flight{Variant: "green"}
		one.at.Split().Flights.Add(f)
		begin := time.Now()
		one.set(t, 0)
		elapse(2 * time.Second)
		is("green", rollout.DrainInUse, "1 request is in progress", "may be held on it until")
		one.at.Split().Flights.Remove(f)
		elapse(2 * time.Second)
		is("green", rollout.DrainInUse, "may be held on it until")
		got, err := one.Drained(t.Context(), "assistant", "green")
		if err != nil || got.HeldUntil.Sub(begin).Round(time.Second) != held {
			t.Errorf("held: got %+v, %v, want two minutes from %v", got, err, begin)
		}
		elapse(held)
		is("green", rollout.Drained)

		one.link.set(away)
		elapse(6 * time.Second)
		is("green", rollout.DrainUnknown, "proxy-1 (unseen for")
		two.link.set(away)
		elapse(2 * time.Second)
		if _, err := two.Drained(t.Context(), "assistant", "green"); !errors.Is(err, rollout.ErrUnavailable) {
			t.Errorf("without the store: got %v, want ErrUnavailable", err)
		}
		one.link.set(none)
		two.link.set(none)
		elapse(3 * time.Second)
		if _, err := two.Drained(t.Context(), "assistant", "nobody"); !errors.Is(err, rollout.ErrUnknownVariant) {
			t.Errorf("nobody: got %v, want ErrUnknownVariant", err)
		}
	})
}

// A failback holds nobody, unless conversations are to finish; a kill holds nobody at all.
func TestDrainedAfterAFailback(t *testing.T) {
	for _, tt := range []struct {
		onFailback string
		kill       bool
		want       rollout.Drain
	}{
		{rollout.OnFailbackMove, false, rollout.Drained},
		{rollout.OnFailbackFinish, false, rollout.DrainInUse},
		{rollout.OnFailbackFinish, true, rollout.Drained},
	} {
		bubble(t, func(t *testing.T, s *embedded.Store) {
			def := talking(assistant(50, 50))
			def.Conversations.OnFailback = tt.onFailback
			p := start(t, s, "proxy-1", def)
			elapse(time.Second)
			p.set(t, 10)
			p.fails(40)
			elapse(5 * time.Second)
			if tt.kill {
				if _, err := p.Kill(t.Context(), "assistant", rollout.KillRequest{Variant: "green"}, alice); err != nil {
					t.Fatal(err)
				}
			}
			if state := p.at.View().State; state.Progress.Phase != splitter.PhaseFailedBack {
				t.Fatalf("got phase %v, want failed back", state.Progress.Phase)
			}
			if got, err := p.Drained(t.Context(), "assistant", "green"); err != nil || got.Result != tt.want {
				t.Errorf("%+v: got %+v, %v", tt, got, err)
			}
		})
	}
}

// Whatever changes ranges notes which buckets moved, by whatever name their variant goes.
func TestChangesNoteMoves(t *testing.T) {
	moved := func(from, to uint32, variant string, at time.Time) splitter.Move {
		return splitter.Move{Range: splitter.Range{From: from, To: to, Variant: variant}, At: at}
	}
	first := created(t, assistant(50, 50))
	later := noon.Add(time.Minute)
	less, err := rollout.SetWeights(first, assistant(50, 50), rollout.WeightChange{
		Weights: map[string]splitter.Weight{"green": 10 * percent},
	}, alice, seedAt(2, later))
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := rollout.Rename(less.State, "green", "lime", alice, seedAt(3, later.Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	failed, _, err := rollout.Failback(less.State, failing, alice, seedAt(4, later.Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	all := moved(0, 10_000, "green", later.Add(time.Minute))
	before := moved(10_000, 50_000, "green", later)
	all.Failed, before.Failed = true, true
	forked, _, err := rollout.Reconcile(failed.State, renamed.State, alice, seedAt(5, later.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	lime := moved(0, 10_000, "lime", later.Add(time.Hour))
	limeBefore := moved(10_000, 50_000, "lime", later)
	for _, tt := range []struct {
		name string
		in   *splitter.State
		want []splitter.Move
	}{
		{"first", first, nil},
		{"weights", less.State, []splitter.Move{moved(10_000, 50_000, "green", later)}},
		{"rename", renamed.State, []splitter.Move{moved(10_000, 50_000, "lime", later)}},
		{"failback", failed.State, []splitter.Move{all, before}},
		{"two histories", forked.State, []splitter.Move{all, before, lime, limeBefore}},
	} {
		if diff := cmp.Diff(tt.want, tt.in.Moved); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func BenchmarkConversations(b *testing.B) {
	var c rollout.Conversations
	ids := make([]rollout.ConversationID, 1<<12)
	for i := range ids {
		ids[i] = conversation(i)
		c.Note(ids[i], onGreen, held, false, noon)
	}
	b.Run("find", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c.Find(ids[i%len(ids)], noon)
		}
	})
	b.Run("go on", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c.Note(ids[i%len(ids)], onGreen, held, false, noon)
		}
	})
}
