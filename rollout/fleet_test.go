package rollout_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// bubble runs a test on virtual time, with a store that its instances share.
func bubble(t *testing.T, f func(t *testing.T, s *embedded.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newStore(t)) })
}

// newStore opens an empty store.
func newStore(t testing.TB) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// proxy is one instance of a fleet.
type proxy struct {
	*rollout.Controller
	link *link
	at   *rollout.Attachment
	opts rollout.Options
}

// newProxy makes an instance that runs a definition and has not started. options may change what it is made with.
func newProxy(t testing.TB, s store.Store, name string, def rollout.Definition, options ...func(*rollout.Options)) *proxy {
	t.Helper()
	p := &proxy{link: &link{store: s}}
	p.opts = rollout.Options{
		Instance: name, Release: "v0.0.0",
		Open:   func() (store.Store, error) { return p.link, nil },
		Memory: rollout.Snapshots{Dir: store.DirAt(filepath.Join(t.TempDir(), "snapshots"))},
		Log:    zap.NewNop(),
	}
	for _, o := range options {
		o(&p.opts)
	}
	p.Controller = rollout.New(p.opts)
	t.Cleanup(func() { p.close(t) })
	var err error
	if p.at, err = p.Attach(def, "first"); err != nil {
		t.Fatalf("%s: Attach: %v", name, err)
	}
	return p
}

func (p *proxy) close(t testing.TB) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Errorf("%s: Close: %v", p.opts.Instance, err)
	}
}

// start makes an instance and starts it.
func start(t testing.TB, s store.Store, name string, def rollout.Definition, options ...func(*rollout.Options)) *proxy {
	t.Helper()
	p := newProxy(t, s, name, def, options...)
	p.mustStart(t)
	return p
}

func (p *proxy) mustStart(t testing.TB) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatalf("%s: Start: %v", p.opts.Instance, err)
	}
}

// starts makes a fleet of n.
func starts(t testing.TB, s store.Store, n int, def rollout.Definition) []*proxy {
	t.Helper()
	fleet := make([]*proxy, n)
	for i := range fleet {
		fleet[i] = start(t, s, fmt.Sprintf("proxy-%d", i+1), def)
	}
	return fleet
}

// remembering lets an instance use another one's memory: it is the same one, restarted.
func remembering(p *proxy) func(*rollout.Options) {
	return func(o *rollout.Options) { o.Memory = p.opts.Memory }
}

// elapse lets virtual time pass.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// reload attaches another file and starts it, as a configuration reload does; the old one is let go.
func (p *proxy) reload(t testing.TB, def rollout.Definition) {
	t.Helper()
	at, err := p.Attach(def, new(int))
	if err != nil {
		t.Fatalf("%s: Attach: %v", p.opts.Instance, err)
	}
	p.mustStart(t)
	p.Detach(p.at)
	p.at = at
}

// set sets green's weight and fails the test if that is refused.
func (p *proxy) set(t testing.TB, percents splitter.Weight) rollout.Result {
	t.Helper()
	r, err := p.tries(percents)
	if err != nil {
		t.Fatalf("%s: SetWeights: %v", p.opts.Instance, err)
	}
	return r
}

func (p *proxy) tries(percents splitter.Weight) (rollout.Result, error) {
	w := rollout.WeightChange{Weights: map[string]splitter.Weight{"green": percents * percent}}
	return p.SetWeights(context.Background(), "assistant", w, alice)
}

func (p *proxy) kills(t testing.TB, variant string) rollout.Result {
	t.Helper()
	r, err := p.Kill(context.Background(), "assistant", rollout.KillRequest{Variant: variant}, alice)
	if err != nil {
		t.Fatalf("%s: Kill: %v", p.opts.Instance, err)
	}
	return r
}

func (p *proxy) revives(t testing.TB) {
	t.Helper()
	if _, err := p.Revive(context.Background(), "assistant", rollout.ReviveRequest{}, alice); err != nil {
		t.Fatalf("%s: Revive: %v", p.opts.Instance, err)
	}
}

// share of green that this instance decides by now; -1 while it is blind.
func (p *proxy) green() int {
	state := p.at.View().State
	if state == nil {
		return -1
	}
	return int(state.Weights()["green"] / percent)
}

// serves reports whether anybody is served here.
func (p *proxy) serves() bool {
	return p.at.View().Table.Decide(splitter.Request{Key: "somebody"}).Variant >= 0
}

// wants fails the test unless an instance decides by a share of green and serves, or does not.
func (p *proxy) wants(t testing.TB, when string, green int, serves bool) {
	t.Helper()
	if p.green() != green || p.serves() != serves {
		t.Errorf("%s, %s: got green at %d %%, serving %v, want %d %%, %v", p.opts.Instance, when, p.green(), p.serves(), green, serves)
	}
}

// record feeds outcomes of one variant, in the order of assistant: 0 is blue, 1 is green.
func (p *proxy) record(variant, n int, class health.Class) {
	o := health.Outcome{Class: class, Answered: true, TTFB: 100 * time.Millisecond, Total: time.Second}
	if class == health.Failure {
		o.Cause = health.CauseStatus
	}
	w := p.at.View().Windows[variant]
	for range n {
		record(w, o)
	}
}

// record counts an outcome.
func record(w *health.Window, o health.Outcome) {
	f := health.Flight{Start: time.Now()}
	f.Arrive(w, 0)
	f.Record(f.Start, o)
}

// fails feeds n failures of green and as many successes of blue within four seconds: no second fails a canary by itself.
func (p *proxy) fails(n int) { p.failsAs(0, 1, n) }

// failsAs is fails for variants at other places.
func (p *proxy) failsAs(blue, green, n int) {
	for range 4 {
		p.record(blue, n/4, health.Success)
		p.record(green, n/4, health.Failure)
		elapse(time.Second)
	}
}

// status fails the test if there is none.
func (p *proxy) status(t testing.TB) rollout.Status {
	t.Helper()
	s, err := p.Status(t.Context(), "assistant")
	if err != nil {
		t.Fatalf("%s: Status: %v", p.opts.Instance, err)
	}
	return s
}

// stored returns what a store holds.
func stored(t testing.TB, s store.Store) *splitter.State {
	t.Helper()
	state, err := s.Load(context.Background(), "assistant")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return state
}

// kinds lists a store's events, oldest first.
func kinds(t testing.TB, s store.Store) []string {
	t.Helper()
	events, err := s.Events(context.Background(), "assistant", 1000)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	var out []string
	for i := range events {
		out = append(out, events[len(events)-1-i].Kind)
	}
	return out
}
