package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// agents answers as the agents behind a proxy: whom it asks is what the proxy decides by at that moment.
type agents struct {
	p *proxy

	mu     sync.Mutex // protects the following fields
	broken map[string]error
	asked  []string             // variants, in that order
	onAsk  func(variant string) // called for each question
	takes  time.Duration
}

// served lets a proxy's agents be asked.
func served(t testing.TB, p *proxy) *agents {
	t.Helper()
	a := &agents{p: p, broken: map[string]error{}}
	p.at.Agents = a
	return a
}

func (a *agents) Ask(ctx context.Context, key string) (string, error) {
	view := a.p.at.View()
	r := splitter.Request{Key: key}
	if view.Table.Drilling() {
		r.User = a.UserHash(key)
	}
	v := a.p.at.Definition().Variants[view.Table.Decide(r).Variant].Name
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(a.takes):
	}
	a.mu.Lock()
	a.asked = append(a.asked, v)
	err, onAsk := a.broken[v], a.onAsk
	a.mu.Unlock()
	if onAsk != nil {
		onAsk(v)
	}
	return v, err
}

func (a *agents) UserHash(key string) string { return "hash of " + key }

func (a *agents) Dead(context.Context, string) error { return nil }

func (a *agents) Check(_ context.Context, variant string) []rollout.Checked {
	return []rollout.Checked{{Name: "probe 1", Err: a.broken[variant]}, {Name: "probe 2"}}
}

func (a *agents) Upstreams(_ context.Context, variant string) []rollout.Upstream {
	return []rollout.Upstream{{Address: variant + ":80", Err: a.broken[variant+":80"]}, {Address: variant + ":81"}}
}

var testers = rollout.DrillRequest{Users: []string{"ann", "bob", "ann"}}

// drills holds a drill and fails the test if it is refused.
func (p *proxy) drills(t testing.TB) rollout.DrillReport {
	t.Helper()
	r, err := p.Drill(context.Background(), "assistant", testers, alice)
	if err != nil {
		t.Fatalf("Drill: %v", err)
	}
	return r
}

// failed lists the steps of a drill that did not go as they should.
func failed(r rollout.DrillReport) (names []string) {
	for _, s := range r.Steps {
		if !s.OK {
			names = append(names, s.Name)
		}
	}
	return names
}

// texts returns what a report says of a step.
func textOf(r rollout.DrillReport, step string) string {
	for _, s := range r.Steps {
		if s.Name == step {
			return s.Text
		}
	}
	return ""
}

func TestDrill(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, assistant(100, 0))
		a := served(t, fleet[0])
		a.takes = 100 * time.Millisecond
		before := stored(t, s)
		r := fleet[0].drills(t)
		if !r.Passed || len(failed(r)) > 0 {
			t.Fatalf("got %+v, want it passed", r)
		}
		var names []string
		for _, step := range r.Steps {
			names = append(names, step.Name)
		}
		if diff := cmp.Diff([]string{"start", "canary answers", "failback", "stable answers", "restore"}, names); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"green", "green", "green", "blue", "blue", "blue"}, a.asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if took := r.Steps[1].Took; took != a.takes || r.Took < 2*a.takes {
			t.Errorf("the canary's answers took %s, all %s: want %s, and twice that at least", took, r.Took, a.takes)
		}
		wantKinds(t, s, "created", "drill", "drill", "drilled")
		checkNothingChanged(t, before, stored(t, s))
		for _, p := range fleet {
			elapse(time.Second)
			st, err := p.Status(context.Background(), "assistant")
			if err != nil {
				t.Fatal(err)
			}
			if want := stored(t, s).Drilled.At; !st.DrilledAt.Equal(want) || want.IsZero() {
				t.Errorf("%s: drilled at %s, want %s", p.opts.Instance, st.DrilledAt, want)
			}
		}
	})
}

// checkNothingChanged expects that a drill left everything but what it says of itself.
func checkNothingChanged(t rapid.TB, before, after *splitter.State) {
	t.Helper()
	want := before.Clone()
	want.Version, want.Parent, want.Lineage, want.Placed = after.Version, after.Parent, after.Lineage, after.Placed
	want.Changed, want.Drilled, want.DrillFailed = after.Changed, after.Drilled, after.DrillFailed
	got, err := json.Marshal(after)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(doc), string(got)); diff != "" {
		t.Errorf("state (-before +after):\n%s", diff)
	}
}

// The report is what the event of the result rests on.
func TestDrillIsRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(100, 0))
		served(t, p)
		r := p.drills(t)
		events, err := p.Events(context.Background(), "assistant", 10)
		if err != nil {
			t.Fatal(err)
		}
		var got rollout.DrillReport
		if err := json.Unmarshal(events[0].Evidence, &got); err != nil {
			t.Fatal(err)
		}
		if events[0].ID != r.Event.ID || events[0].Kind != rollout.KindDrilled || !got.Passed || len(got.Steps) != len(r.Steps) {
			t.Errorf("got event %+v with report %+v, want that of %+v", events[0], got, r)
		}
		if !strings.Contains(events[2].Reason, "begins: 2 test users are sent to green; trying") {
			t.Errorf("got reason %q, want who is sent where, and why", events[2].Reason)
		}
		for _, e := range events {
			if doc := encode(t, e); strings.Contains(doc, "ann") || strings.Contains(doc, "bob") {
				t.Errorf("event names a user: %s", doc)
			}
		}
	})
}

func TestDrillThatFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(*testing.T, *embedded.Store, []*proxy, *agents)
		want []string
		text string // of the first step that failed
	}{
		{"canary does not answer", func(_ *testing.T, _ *embedded.Store, _ []*proxy, a *agents) {
			a.broken["green"] = errors.New("status 500")
		}, []string{"canary answers"}, "test user 1: status 500; test user 2: status 500"},
		{"stable does not answer", func(_ *testing.T, _ *embedded.Store, _ []*proxy, a *agents) {
			a.broken["blue"] = errors.New("refused")
		}, []string{"stable answers"}, "test user 1: refused"},
		{"a member does not hear of it", func(_ *testing.T, _ *embedded.Store, fleet []*proxy, _ *agents) {
			fleet[1].link.set(away)
		}, []string{"start", "failback"}, "1 of 2 members have applied it in 2s, and proxy-2 not"},
		{"the canary never answers", func(_ *testing.T, _ *embedded.Store, _ []*proxy, a *agents) {
			a.takes = time.Hour
		}, []string{"canary answers", "stable answers"}, "context deadline exceeded"},
		{"somebody kills the canary", func(t *testing.T, _ *embedded.Store, fleet []*proxy, a *agents) {
			a.onAsk = func(v string) {
				if v != "blue" {
					return
				}
				if _, err := fleet[0].Kill(context.Background(), "assistant", rollout.KillRequest{Variant: "green"}, alice); err != nil {
					t.Error(err)
				}
			}
		}, []string{"restore"}, "not as before the drill: kills; meanwhile others have changed the state, by 3 revisions, last: kill by alice"},
		{"somebody ends it", func(t *testing.T, s *embedded.Store, _ []*proxy, a *agents) {
			// The drill ends when all have been placed, so that it depends on no order in which they ask.
			var asked atomic.Int32
			a.onAsk = func(string) {
				if int(asked.Add(1)) != len(testers.Users) {
					return
				}
				now := stored(t, s)
				ch, _, err := rollout.EndDrill(now, now.Drill.ID, "enough", alice, seedAt(99, now.Changed.At))
				if err == nil {
					err = s.Swap(context.Background(), now.Version, ch.State, ch.Event)
				}
				if err != nil {
					t.Error(err)
				}
			}
		}, []string{"failback"}, "somebody else has ended the drill before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet := starts(t, s, 2, assistant(100, 0))
				a := served(t, fleet[0])
				tt.make(t, s, fleet, a)
				r := fleet[0].drills(t)
				if diff := cmp.Diff(tt.want, failed(r)); diff != "" || r.Passed {
					t.Fatalf("steps that failed (-want +got):\n%s%+v", diff, r)
				}
				if got := textOf(r, tt.want[0]); !strings.Contains(got, tt.text) {
					t.Errorf("got %q, want %q", got, tt.text)
				}
				now := stored(t, s)
				if now.Drill != nil || !now.Drilled.At.IsZero() || now.Changed.Kind != rollout.KindDrilled ||
					!strings.HasPrefix(now.Changed.Reason, "failed at ") {
					t.Errorf("got drill %+v, last passed %+v, changed %+v; want it ended and recorded as failed", now.Drill,
						now.Drilled, now.Changed)
				}
				if f := now.DrillFailed; f.At != now.Changed.At || f.By != "alice" || f.Step != tt.want[0] || !strings.Contains(f.Why, tt.text) {
					t.Errorf("got %+v, want the latest drill remembered as failed at %q", f, tt.want[0])
				}
			})
		})
	}
}

// How many test users there are is told in the number that they are.
func TestDrillCountsItsUsers(t *testing.T) {
	for users, want := range map[string]string{"h1": "begins: 1 test user is sent to green; trying",
		"h1 h2": "begins: 2 test users are sent to green; trying"} {
		c, err := rollout.BeginDrill(created(t, planned()), planned(), strings.Fields(users), alice, later(2))
		if err != nil || c.Event.Reason != want {
			t.Errorf("got %q, %v, want %q", c.Event.Reason, err, want)
		}
	}
}

// If whoever asked for a drill leaves, it is ended all the same.
func TestDrillThatIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(100, 0))
		served(t, p).takes = time.Minute
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r, err := p.Drill(ctx, "assistant", testers, alice)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"canary answers", "stable answers"}, failed(r)); diff != "" || r.Took > 6*time.Second {
			t.Errorf("took %s, steps that failed (-want +got):\n%s", r.Took, diff)
		}
		wantKinds(t, s, "created", "drill", "drill", "drilled")
	})
}

// Where an instance begins a drill and crashes, another one ends it once its time is over. While the store is away nobody
// can, and it is ended when the store is back.
func TestDrillIsEndedByOthers(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(100, 0))
		prev := stored(t, s)
		begin, err := rollout.BeginDrill(prev, assistant(100, 0), []string{"h"}, alice, seedAt(9, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Swap(context.Background(), prev.Version, begin.State, begin.Event); err != nil {
			t.Fatal(err)
		}
		elapse(25 * time.Second)
		wantKinds(t, s, "created", "drill")
		for _, p := range fleet {
			p.link.set(away)
		}
		elapse(time.Minute)
		wantKinds(t, s, "created", "drill")
		for _, p := range fleet {
			p.link.set(none)
		}
		elapse(5 * time.Second)
		ended := slices.DeleteFunc(kinds(t, s), func(k string) bool { return k != rollout.KindDrill })
		if len(ended) != 2 {
			t.Errorf("got %v, want the drill begun and ended once", kinds(t, s))
		}
		events, err := s.Events(t.Context(), "assistant", 20)
		if err != nil || !slices.ContainsFunc(events, rollout.DrillFailed) || rollout.DrillFailed(begin.Event) {
			t.Errorf("got %+v, %v, want one that tells of a drill that failed", events, err)
		}
		if now := stored(t, s); now.Drill != nil || !now.Drilled.At.IsZero() {
			t.Errorf("got drill %+v, last passed %+v; want none", now.Drill, now.Drilled)
		} else if f := now.DrillFailed; f.At != now.Changed.At || f.By != "alice" || f.Step != "restore" || f.Why == "" {
			t.Errorf("got %+v, want it remembered as failed", f)
		}
	})
}

// Where the result cannot be written the drill has not passed, and where it cannot be begun nothing is asked.
func TestDrillWithoutAStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(100, 0))
		a := served(t, p)
		a.onAsk = func(v string) {
			if v == "blue" {
				p.link.set(locked)
			}
		}
		r := p.drills(t)
		if diff := cmp.Diff([]string{"record"}, failed(r)); diff != "" || r.Passed || r.Event.ID != "" {
			t.Errorf("got %+v, steps that failed (-want +got):\n%s", r, diff)
		}
		p.link.set(away)
		elapse(2 * time.Second)
		a.asked = nil
		if _, err := p.Drill(context.Background(), "assistant", testers, alice); !errors.Is(err, rollout.ErrUnavailable) {
			t.Errorf("got error %v, want ErrUnavailable", err)
		}
		if len(a.asked) > 0 {
			t.Errorf("asked %v, want nobody", a.asked)
		}
	})
}

func TestDrillIsRefused(t *testing.T) {
	kill := splitter.Kill{ID: "k", Variant: "blue", At: noon}
	for _, tt := range []struct {
		name  string
		state func(*splitter.State)
		def   rollout.Definition
		want  error
		text  string
	}{
		{"no canary", func(s *splitter.State) { s.Canary = "" }, assistant(100, 0), rollout.ErrRefused, "has no canary"},
		{"unknown canary", func(s *splitter.State) { s.Canary = "grey" }, assistant(100, 0), rollout.ErrUnknownVariant, `"grey"`},
		{"retired canary", func(s *splitter.State) { s.Retired = []string{"green"} }, assistant(100, 0), rollout.ErrRefused, "is retired"},
		{"a drill", func(s *splitter.State) { s.Drill = &splitter.Drill{ID: "d", Variant: "green", Users: []string{"h"}} },
			assistant(100, 0), rollout.ErrRefused, "is under way, until"},
		{"a trial", func(s *splitter.State) { s.Progress.Phase = splitter.PhaseTrial }, assistant(100, 0), rollout.ErrRefused,
			"a trial of \"green\" is under way"},
		{"a phase of a newer release", func(s *splitter.State) { s.Progress.Phase = splitter.PhaseUnknown }, assistant(100, 0),
			rollout.ErrRefused, "between trials"},
		{"a kill", func(s *splitter.State) { s.Kills = []splitter.Kill{kill} }, assistant(100, 0), rollout.ErrRefused, "a kill of"},
		{"nothing", func(s *splitter.State) { s.Progress.Phase = splitter.PhaseFailedBack }, assistant(100, 0), nil, ""},
	} {
		s := created(t, assistant(100, 0))
		tt.state(s)
		_, err := rollout.BeginDrill(s, tt.def, []string{"h"}, alice, seedAt(2, noon))
		if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got error %v, want %v with %q", tt.name, err, tt.want, tt.text)
		}
	}
}

func TestDrillNeedsUsersAndAgents(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(100, 0))
		tries := func(users ...string) error {
			_, err := p.Drill(context.Background(), "assistant", rollout.DrillRequest{Users: users}, alice)
			return err
		}
		if err := tries("ann"); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("without agents: got error %v, want ErrRefused", err)
		}
		served(t, p)
		for _, users := range [][]string{nil, make([]string, rollout.MaxDrillUsers+1), {"ann", ""}} {
			if err := tries(users...); !errors.Is(err, rollout.ErrInvalid) {
				t.Errorf("%d users: got error %v, want ErrInvalid", len(users), err)
			}
		}
		wantKinds(t, s, "created")
		synctest.Wait()
	})
}

// Whatever the State is, a drill leaves it as it was, and places nobody but its users.
func TestDrillRestores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := created(t, assistant(100, 0))
		grey := splitter.Weight(rapid.Uint32Range(0, splitter.Buckets).Draw(t, "grey"))
		var err error
		before.Ranges, err = splitter.Layout([]splitter.Share{{Variant: "blue", Weight: splitter.Full - grey}, {Variant: "grey", Weight: grey}}, "green")
		if err != nil {
			t.Fatal(err)
		}
		before.Cooldown.Failbacks = rapid.IntRange(0, 3).Draw(t, "failbacks")
		before.Drilled = splitter.Drilled{At: noon.Add(-time.Hour), By: "bob"}
		before.DrillFailed = splitter.FailedDrill{At: noon.Add(-time.Minute), By: "eve", Step: "start", Why: "too slow"}
		def := assistant(100, 0)
		begun, err := rollout.BeginDrill(before, def, []string{"z", "a", "z"}, alice, seedAt(2, noon))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "z"}, begun.State.Drill.Users); diff != "" {
			t.Errorf("users (-want +got):\n%s", diff)
		}
		if _, err := rollout.Start(begun.State, def, rollout.StartRequest{}, alice, seedAt(3, noon)); !errors.Is(err, rollout.ErrRefused) ||
			!strings.Contains(err.Error(), "a drill of") {
			t.Errorf("a rollout during a drill: %v", err)
		}
		if _, ok, err := rollout.EndDrill(begun.State, "another", "", alice, seedAt(3, noon)); ok || err != nil {
			t.Errorf("another drill's end: got %t, %v; want no change", ok, err)
		}
		ended, ok, err := rollout.EndDrill(begun.State, "change-2", "it is over", alice, seedAt(3, noon))
		if !ok || err != nil {
			t.Fatalf("got %t, %v; want it ended", ok, err)
		}
		checkNothingChanged(t, before, ended.State)
		passed := rapid.Bool().Draw(t, "passed")
		done, err := rollout.ConcludeDrill(ended.State, "change-2", rollout.DrillReport{Passed: passed}, alice, seedAt(4, noon))
		if err != nil {
			t.Fatal(err)
		}
		checkNothingChanged(t, before, done.State)
		if rollout.DrillFailed(done.Event) == passed || rollout.DrillFailed(ended.Event) {
			t.Errorf("passed %t, and the events say that it failed: %t, its end %t", passed, rollout.DrillFailed(done.Event),
				rollout.DrillFailed(ended.Event))
		}
		want, wantFailed := before.Drilled, splitter.FailedDrill{At: noon, By: "alice"}
		if passed {
			want, wantFailed = splitter.Drilled{At: noon, By: "alice"}, splitter.FailedDrill{}
		}
		if got := done.State.Drilled; got != want {
			t.Errorf("last drill that passed: got %+v, want %+v", got, want)
		}
		if got := done.State.DrillFailed; got != wantFailed {
			t.Errorf("latest drill that failed: got %+v, want %+v", got, wantFailed)
		}
	})
}

// A drill that failed is told of until one passes.
func TestFailedDrillIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", complete())
		a := served(t, p)
		told := func(when, item, why string) {
			t.Helper()
			elapse(time.Second)
			if got, _ := p.preflights(t); got["drill"] != item {
				t.Errorf("%s: preflight says %q, want %q", when, got["drill"], item)
			}
			list, err := p.Why("assistant")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(list, "\n"); why == "" && strings.Contains(got, "drill") || !strings.Contains(got, why) {
				t.Errorf("%s: why says %q, want %q in it", when, got, why)
			}
		}
		const broken = `, by alice, failed 1s ago at "canary answers" (test user 1: status 500; test user 2: status 500; test user 3: status 500)`
		const again = ": `split drill assistant USER...`"
		a.broken["green"] = errors.New("status 500")
		p.drills(t)
		told("the first failed", "miss: the latest drill"+broken+"; none has passed yet"+again,
			"The latest drill"+broken+"; none has passed yet.")
		delete(a.broken, "green")
		p.drills(t)
		told("one passed", "ok: a drill passed 1s ago by alice", "")
		elapse(2 * time.Hour)
		a.broken["green"] = errors.New("status 500")
		p.drills(t)
		told("one failed again", "miss: the latest drill"+broken+"; the last that passed was 2h ago"+again,
			"The latest drill"+broken+"; the last that passed was 2h ago.")
		elapse(48 * time.Hour)
		if got, ok := p.preflights(t); ok || !strings.HasPrefix(got["drill"], "miss: the latest drill, by alice, failed 2 days ago") {
			t.Errorf("two days later preflight says %q", got["drill"])
		}
		delete(a.broken, "green")
		p.drills(t)
		told("one passed again", "ok: a drill passed 1s ago by alice", "")
	})
}

// What is remembered of a drill that failed is bounded, as it is part of the State.
func TestFailedDrillIsBounded(t *testing.T) {
	why := strings.Repeat("test user 1: status 500; ", 100)
	done, err := rollout.ConcludeDrill(created(t, assistant(100, 0)), "d",
		rollout.DrillReport{Steps: []rollout.DrillStep{{Name: "start", OK: true}, {Name: "canary answers", Text: why}}}, alice, seedAt(2, noon))
	if err != nil {
		t.Fatal(err)
	}
	if f := done.State.DrillFailed; f.Step != "canary answers" || len(f.Why) > 210 || !strings.HasPrefix(f.Why, "test user 1: status 500; ") {
		t.Errorf("got %d bytes, %+v", len(f.Why), f)
	}
}

// Where two histories meet, and where one is imported, the later drills count, and one that failed only if none passed later.
func TestDrillsAreMerged(t *testing.T) {
	at := func(minutes int) time.Time {
		if minutes == 0 {
			return time.Time{}
		}
		return noon.Add(time.Duration(minutes) * time.Minute)
	}
	past := created(t, assistant(100, 0))
	for _, tt := range []struct{ ours, theirs, want [2]int }{ // passed, failed
		{[2]int{0, 0}, [2]int{0, 0}, [2]int{0, 0}},
		{[2]int{1, 0}, [2]int{2, 0}, [2]int{2, 0}},
		{[2]int{1, 3}, [2]int{2, 0}, [2]int{2, 3}},
		{[2]int{0, 1}, [2]int{2, 0}, [2]int{2, 0}},
		{[2]int{0, 3}, [2]int{1, 2}, [2]int{1, 3}},
	} {
		drilled := func(s *splitter.State, of [2]int) *splitter.State {
			s.Drilled, s.DrillFailed = splitter.Drilled{At: at(of[0])}, splitter.FailedDrill{At: at(of[1])}
			return s
		}
		ours := drilled(must(t, past, green(2, 20)), tt.ours)
		theirs := drilled(must(t, past, green(3, 30)), tt.theirs)
		imported, err := rollout.Import(theirs, rollout.ImportRequest{State: ours}, alice, later(50))
		if err != nil {
			t.Fatal(err)
		}
		for how, got := range map[string]*splitter.State{
			"ours and theirs": reconciled(t, ours, theirs, 50),
			"theirs and ours": reconciled(t, theirs, ours, 50),
			"imported":        imported.State,
		} {
			if !got.Drilled.At.Equal(at(tt.want[0])) || !got.DrillFailed.At.Equal(at(tt.want[1])) {
				t.Errorf("%s of %v and %v: got %+v and %+v, want %v", how, tt.ours, tt.theirs, got.Drilled, got.DrillFailed, tt.want)
			}
		}
	}
}
