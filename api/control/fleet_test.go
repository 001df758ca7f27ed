package control_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// leftover is a split that the store has and this instance does not run.
const leftover = "leftover"

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fleet is a Fleet of one split, assistant, that does what it is told to answer and remembers what it was asked.
type fleet struct {
	mu sync.Mutex // protects the following fields

	state    *splitter.State
	notReady bool
	members  []store.Member
	err      error // what the next calls return
	queued   bool
	missing  []string // who never applies anything
	confirm  error
	asked    []any // the changes asked for, each followed by its rollout.By
	trouble  bool  // status shows everything that can be wrong
	killed   bool  // status shows a trial whose canary is killed, and that nobody has judged
	draining bool  // status shows kills that end requests in flight, now and later
	lends    bool  // status shows a canary that has nearly everybody, and lends stable some
	same     bool  // changes find everything as they want it
	told     bool  // a queued kill was announced
	untold   []string
	warning  string          // what is wrong with the store
	on       []splitter.Kill // what an import turns on
	note     string          // what is said of an import
	log      []store.Event   // what EventsAfter and Events return; if there is nothing, Events makes one up

	shows func(*rollout.Status) // what else status shows
	ended splitter.Ending       // how a finished rollout has ended
}

// policy is what the fleet's trial is judged by.
const policy = `{"failback":{"window":"1m","min_requests":20,"max_error_rate":0.05,"max_latency":{"quantile":0.95,"max":"8s"}},` +
	`"judge":{"alpha":0.01,"ratio":1.2,"margin":0.002,"latency_margin":0.01,"duration":"24h",` +
	`"trickle":{"first":0.05,"watch":"15m","then":0.01}},"cooldown":"15m"}`

// newFleet returns a fleet with green at 10 %, on two instances.
func newFleet() *fleet {
	f := &fleet{state: &splitter.State{
		Schema: splitter.Schema, Split: "assistant", Version: splitter.Version{Revision: 12, ID: "c0ffee"},
		Epoch: 3, Salt: "pepper", Stable: "blue", Canary: "green", Policy: []byte(policy),
		Ranges:   []splitter.Range{{From: 0, To: 10_000, Variant: "green"}, {From: 10_000, To: 100_000, Variant: "blue"}},
		Progress: splitter.Progress{Phase: splitter.PhaseTrial, Since: noon.Add(-time.Hour), Why: "alice set green to 10%"},
		Changed:  splitter.Change{Kind: "weights", Actor: "alice", Via: "socket", At: noon.Add(-time.Hour), Reason: "first tenth"},
	}}
	for i, name := range []string{"proxy-1", "proxy-2"} {
		f.members = append(f.members, store.Member{
			Beat: store.Beat{
				MemberID: store.MemberID{Name: name, Boot: fmt.Sprintf("b%d", i+1)}, Release: "v0.1.0", Started: noon.Add(-24 * time.Hour),
				Applied: map[string]splitter.Version{"assistant": f.state.Version},
			},
			Seen: noon.Add(-300 * time.Millisecond),
		})
	}
	return f
}

func (f *fleet) Splits() []string { return []string{"assistant"} }

func (f *fleet) Status(_ context.Context, split string) (rollout.Status, error) {
	return f.StatusHere(split)
}

func (f *fleet) StatusHere(split string) (rollout.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if split != "assistant" {
		return rollout.Status{}, fmt.Errorf("%w: %q; there is \"assistant\"", rollout.ErrUnknownSplit, split)
	}
	s := f.calm()
	if f.trouble {
		f.upset(&s)
	}
	if f.killed {
		s.State = f.state.Clone()
		s.State.Kills = []splitter.Kill{{ID: "k1", Variant: "green", Reason: "leaks prompts", Actor: "alice", Via: "local", At: noon}}
		s.Variants[1].Killed = true
		s.Verdict = nil
	}
	if f.lends {
		f.lend(&s)
	}
	if f.shows != nil {
		f.shows(&s)
	}
	if f.draining {
		s.State = f.state.Clone()
		s.State.Kills = draining()
		s.Variants[0].Killed, s.Variants[1].Killed = true, true
	}
	return s, nil
}

// draining are kills that end requests in flight: one later, one by and by, one has.
func draining() []splitter.Kill {
	by := splitter.Kill{Reason: "too slow", Actor: "alice", Via: "socket", Level: splitter.KillDrain}
	waits, spreads, over := by, by, by
	waits.ID, waits.Variant, waits.At, waits.Deadline, waits.Rate = "k1", "green", noon, noon.Add(30*time.Second), 200
	spreads.ID, spreads.At, spreads.Level, spreads.Rate = "k2", noon.Add(-10*time.Second), splitter.KillCut, 2
	over.ID, over.Variant, over.At, over.Deadline = "k3", "red", noon.Add(-time.Hour), noon.Add(-59*time.Minute)
	return []splitter.Kill{waits, spreads, over}
}

// calm is the status of a trial that goes well.
func (f *fleet) calm() rollout.Status {
	return rollout.Status{
		State: f.state,
		Local: rollout.Definition{Name: "assistant", Stable: "blue", Canary: "green", Variants: []rollout.Variant{
			{Name: "blue", Weight: 99_000}, {Name: "green", Weight: 1_000},
		}, Conversations: &rollout.ConversationPolicy{Hold: ms(1_800_000), OnFailback: rollout.OnFailbackMove}},
		Notes:    []string{"file says green 1%, store 10%: store wins"},
		Now:      noon,
		Ready:    !f.notReady,
		StoreAge: 420 * time.Millisecond,
		Variants: []rollout.VariantStatus{
			{Name: "blue", Role: "stable", Weight: 90_000, FileSays: 99_000, Known: true, InFlight: 3, FleetInFlight: 7, Conversations: 12, Summary: health.Summary{
				Requests: 1200, Failures: 3, ErrorRate: 0.0025, Excluded: map[health.Cause]uint64{health.CauseClientLeft: 7},
				Causes: map[health.Cause]uint64{health.CauseStatus: 3}, MeanLatency: ms(842),
				Latency: health.Quantiles{P50: ms(700), P95: ms(2100), P99: ms(4000)},
				TTFB:    health.Quantiles{P50: ms(120), P95: ms(310), P99: ms(500)},
				Users:   212, UsersFailed: 2, TrialUsers: 4031, TrialUsersFailed: 9,
			}},
			{Name: "green", Role: "canary", Weight: 10_000, FileSays: 1_000, Known: true, InFlight: 1, FleetInFlight: 4, Conversations: 5},
		},
		Verdict:         &health.Verdict{Result: health.Inconclusive, Reason: "no request of the canary yet, 1h into the trial", Threshold: 100},
		JudgedInstances: 2,
		ShownInstances:  2,
	}
}

func ms(n int) health.Duration { return health.Duration(time.Duration(n) * time.Millisecond) }

// upset makes a status show everything that can be wrong.
func (f *fleet) upset(s *rollout.Status) {
	state := f.state.Clone()
	state.Ranges = []splitter.Range{{From: 0, To: 100_000, Variant: "blue"}}
	state.Progress = splitter.Progress{Phase: splitter.PhaseFailedBack, Since: noon, Why: "green failed: 50% errors of 42 requests"}
	state.Progress.Suspected = "blue fails as often: 48% of 300 requests"
	state.Cooldown = splitter.Cooldown{Until: noon.Add(15 * time.Minute), Failbacks: 1}
	state.Kills = []splitter.Kill{
		{ID: "k1", Variant: "green", Level: splitter.KillCut, Reason: "leaks\x1b[2Jprompts", Actor: "alice", Via: "socket", At: noon},
		{ID: "k2", At: noon},
	}
	state.Changed = splitter.Change{Kind: "failback", At: noon, Reason: state.Progress.Why}
	s.State, s.Ready = state, false
	s.StoreAge, s.StoreError = -1, "the store is unavailable: redis:6379: dial tcp 127.0.0.1:6379: connection refused: nothing was written"
	s.Verdict = &health.Verdict{Result: health.Fail, Stream: "errors", Evidence: 12_345, Threshold: 100, Toward: 1, Streams: troubled(),
		Reason: "errors: canary 50% of 42 requests, stable 0.25% of 1200; chance does this to at most one harmless canary in 12345"}
	s.JudgedInstances, s.ShownInstances, s.Missing, s.Late = 1, 1, []string{"proxy-2"}, 3
	s.Notes = append(s.Notes, "shared cause suspected: "+state.Progress.Suspected, "kill k2 is not in the store yet")
	s.Variants[1].Weight, s.Variants[1].Killed = 0, true
	s.Variants = append(s.Variants, rollout.VariantStatus{Name: "red", FileSays: 0, Known: false})
}

// troubled are the numbers of a canary that fails, and is slow.
func troubled() []health.StreamVerdict {
	rate := func(k, n float64) health.Rate { return health.Rate{N: n, K: k} }
	return []health.StreamVerdict{
		{Stream: "errors", Evidence: 12_300, Canary: rate(24, 60), Baseline: rate(30, 12_000), CanaryLately: rate(21, 42), BaselineLately: rate(3, 1200)},
		{Stream: "latency p95", Evidence: 45.2, Slow: ms(2896), Canary: rate(9, 30), Baseline: rate(600, 12_000),
			CanaryLately: rate(6.5, 20.8), BaselineLately: rate(61.3, 1180)},
		{Stream: "max_error_rate", Evidence: 1.5, Limit: 0.05, Canary: rate(2, 4), Baseline: rate(30, 12_000)},
		{Stream: "max_mean_latency", Evidence: 0.004, Slow: ms(5000), Canary: rate(0, 30)},
		{Stream: "aborted", Evidence: 0.02, Baseline: rate(1, 4000)},
	}
}

// lend makes a status show a canary that has nearly everybody, and lends stable some.
func (f *fleet) lend(s *rollout.Status) {
	s.State = f.state.Clone()
	s.State.Ranges = []splitter.Range{{From: 0, To: 90_000, Variant: "green"}, {From: 90_000, To: 100_000, Variant: "blue"}}
	s.State.Trickle = &splitter.Trickle{Epoch: 3, Keeps: 5_000, Until: noon.Add(9 * time.Minute), Then: 1_000}
	s.State.Probe = &splitter.Probe{Epoch: 3, Since: noon.Add(-5 * time.Second), Until: noon.Add(10 * time.Second),
		Why: "30 of 40 failed", Lent: []splitter.Span{{From: 90_000, To: 95_000}}, Holds: 10_000}
	s.Variants[0].Weight, s.Variants[1].Weight = 10_000, 90_000
	s.Verdict = &health.Verdict{Reason: "errors: canary 10% of 47 requests, stable 0.85% of 4258; 11% of the way to a failback",
		Stream: "errors", Evidence: 1.66, Threshold: 100, Toward: 0.11}
	s.Notes = []string{"a probe lends blue a part of green's users until 2026-11-22 12:00:10 UTC, to compare them: 30 of 40 failed"}
}

// changed answers a change, which it has written down.
func (f *fleet) changed(split, kind string, what any, by rollout.By, kills ...splitter.Kill) (rollout.Result, error) {
	if _, err := f.StatusHere(split); err != nil && split != leftover {
		return rollout.Result{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what, by)
	if f.err != nil {
		return rollout.Result{}, f.err
	}
	if f.same {
		return rollout.Result{State: f.state, Note: "unchanged: the weights are so already"}, nil
	}
	next := f.state.Clone()
	next.Version = splitter.Version{Revision: f.state.Revision + 1, ID: "beef"}
	r := rollout.Result{State: next, Queued: f.queued, Announced: f.told, Untold: f.untold, Event: store.Event{
		ID: next.ID, Split: split, Revision: next.Revision, Epoch: next.Epoch, Kills: kills,
		To:     next.Weights(),
		Change: splitter.Change{Kind: kind, Actor: by.Actor, Via: by.Via, At: noon, Reason: by.Reason},
	}}
	if r.Event.From = next.Weights(); kind == "weights" {
		r.Event.From = map[string]splitter.Weight{"blue": 99_000, "green": 1_000}
	}
	if f.queued {
		r.Note = "the kill holds on this instance and is queued on its disk; the store did not take it: "
		if f.told {
			r.Note += "OOM command not allowed; it was announced to the other instances"
		} else {
			r.Note += "connection refused; nor could it be announced to the other instances"
		}
	}
	return r, nil
}

func (f *fleet) SetWeights(_ context.Context, split string, c rollout.WeightChange, by rollout.By) (rollout.Result, error) {
	return f.changed(split, "weights", c, by)
}

func (f *fleet) Kill(_ context.Context, split string, r rollout.KillRequest, by rollout.By) (rollout.Result, error) {
	k := splitter.Kill{ID: "k1", Variant: r.Variant, Level: r.Level, At: noon, Rate: r.Rate}
	if r.Level == splitter.KillDrain {
		k.Deadline = noon.Add(cmp.Or(r.Deadline, splitter.DefaultDrain))
	}
	return f.changed(split, "kill", r, by, k)
}

func (f *fleet) Revive(_ context.Context, split string, r rollout.ReviveRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, "revive", r, by, splitter.Kill{ID: "k1", At: noon})
}

func (f *fleet) Rename(_ context.Context, split, from, to string, by rollout.By) (rollout.Result, error) {
	return f.changed(split, "renamed", [2]string{from, to}, by)
}

func (f *fleet) Adopt(_ context.Context, split string, r rollout.AdoptRequest, by rollout.By) (rollout.Result, error) {
	return f.changed(split, "adopted", r, by)
}

func (f *fleet) ApplyPolicy(_ context.Context, split string, by rollout.By) (rollout.Result, error) {
	return f.changed(split, "policy", "policy", by)
}

func (f *fleet) Forget(_ context.Context, split string, by rollout.By) (rollout.Result, error) {
	return f.changed(split, "forgotten", "forget", by)
}

func (f *fleet) Import(_ context.Context, split string, r rollout.ImportRequest, by rollout.By) (rollout.Result, error) {
	result, err := f.changed(split, "imported", r, by, f.on...)
	result.Note = f.note
	return result, err
}

// Export returns the one State, in which a newer release has written something.
func (f *fleet) Export(_ context.Context, splits []string) ([]*splitter.State, error) {
	for _, split := range splits {
		if _, err := f.StatusHere(split); err != nil {
			return nil, err
		}
	}
	document, err := json.Marshal(f.state)
	if err != nil {
		return nil, err
	}
	state, err := splitter.Decode([]byte(`{"novelty":{"depth":2},` + string(document[1:])))
	return []*splitter.State{state}, errors.Join(f.err, err)
}

func (f *fleet) ForgetInstance(_ context.Context, name string) ([]store.MemberID, error) {
	var gone []store.MemberID
	for _, m := range f.members {
		if m.Name == name {
			gone = append(gone, m.MemberID)
		}
	}
	if gone == nil {
		return nil, fmt.Errorf("%w: %q", rollout.ErrUnknownInstance, name)
	}
	return gone, f.err
}

func (f *fleet) Events(_ context.Context, split string, limit int) ([]store.Event, error) {
	if _, err := f.StatusHere(split); err != nil {
		return nil, err
	}
	e := store.Event{
		ID: "c0ffee", Split: split, Revision: 12, Epoch: 3, Change: f.state.Changed,
		From: map[string]splitter.Weight{"blue": 99_000, "green": 1_000},
		To:   map[string]splitter.Weight{"blue": 90_000, "green": 10_000},
	}
	if len(f.log) > 0 {
		e = f.log[len(f.log)-1]
	}
	return []store.Event{e}[:min(limit, 1)], f.err
}

func (f *fleet) Drained(_ context.Context, split, variant string) (rollout.DrainStatus, error) {
	if _, err := f.StatusHere(split); err != nil {
		return rollout.DrainStatus{}, err
	}
	d := rollout.DrainStatus{Split: split, Variant: variant, Now: f.state.Changed.At, Why: []string{}}
	switch variant {
	case "green":
		d.Result, d.Weight, d.InFlight, d.Conversations = rollout.DrainInUse, 10_000, 4, 5
		d.HeldUntil = d.Now.Add(30 * time.Minute)
		d.Why = append(d.Why, "it has 10% of the users", "4 requests are in progress on it")
	case "old":
		d.Result = rollout.Drained
	case "lost":
		d.Result, d.Why = rollout.DrainUnknown, append(d.Why, "proxy-2 (unseen for 40s), and may still serve")
	default:
		return d, fmt.Errorf("%w: %q", rollout.ErrUnknownVariant, variant)
	}
	return d, nil
}

func (f *fleet) Instances(context.Context) ([]store.Member, time.Time, error) {
	return f.members, noon, f.err
}

// Confirm is answered at once if nobody is missing, else when the caller stops waiting.
func (f *fleet) Confirm(ctx context.Context, split string, v splitter.Version) (rollout.Confirmation, error) {
	if f.confirm != nil {
		return rollout.Confirmation{}, f.confirm
	}
	if _, err := f.StatusHere(split); err != nil {
		return rollout.Confirmation{}, err
	}
	c := rollout.Confirmation{Version: v, Missing: f.missing, Took: 14 * time.Millisecond}
	for _, m := range f.members {
		c.Applied = append(c.Applied, m.Name)
	}
	c.Applied = c.Applied[:len(c.Applied)-len(f.missing)]
	if len(f.missing) > 0 {
		<-ctx.Done()
	}
	return c, nil
}

func (f *fleet) Store() store.Description {
	return store.Description{Kind: "redis", Address: "redis:6379", Fleet: "production", Warning: f.warning}
}

func (f *fleet) Ready() bool { return !f.notReady }
