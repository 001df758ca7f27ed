package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
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

// fault is what is wrong with the way between one instance and the store.
type fault int

const (
	none    fault = iota
	away          // every call fails at once
	hung          // no call is answered until its context ends
	full          // what writes is refused, but for announcements
	muted         // announcements do not arrive
	slow          // calls are answered after 700 ms
	twisted       // writes are carried out and their answer is lost
)

var errFault = errors.New("a fault of the test")

// link is one instance's way to a store that it shares with others.
type link struct {
	mu    sync.Mutex // protects the following fields
	store store.Store
	fault fault
}

func (l *link) set(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

// replace puts another store at the other end, as a failover does.
func (l *link) replace(s store.Store) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store = s
}

func (l *link) now() (store.Store, fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store, l.fault
}

// gate lets a call through or not.
func (l *link) gate(ctx context.Context, writes bool) (store.Store, error) {
	s, f := l.now()
	switch {
	case f == away || f == full && writes:
		return nil, store.Unavailable(errFault)
	case f == hung:
		<-ctx.Done()
		return nil, store.Unavailable(ctx.Err())
	case f == slow:
		select {
		case <-ctx.Done():
			return nil, store.Unavailable(ctx.Err())
		case <-time.After(700 * time.Millisecond):
		}
	}
	return s, nil
}

func (l *link) Load(ctx context.Context, split string) (*splitter.State, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.Load(ctx, split)
}

func (l *link) Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev store.Event) error {
	s, err := l.gate(ctx, true)
	if err != nil {
		return err
	}
	if err := s.Swap(ctx, prev, next, ev); err != nil {
		return err
	}
	if _, f := l.now(); f == twisted {
		return store.Unavailable(errFault)
	}
	return nil
}

func (l *link) Events(ctx context.Context, split string, limit int) ([]store.Event, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.Events(ctx, split, limit)
}

func (l *link) Pulse(ctx context.Context, beat store.Beat) (store.Pulse, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return store.Pulse{}, err
	}
	return s.Pulse(ctx, beat)
}

func (l *link) Leave(ctx context.Context, id store.MemberID) error {
	s, err := l.gate(ctx, true)
	if err != nil {
		return err
	}
	return s.Leave(ctx, id)
}

func (l *link) Watch(ctx context.Context, notify func(store.Notice)) error {
	s, _ := l.now()
	return s.Watch(ctx, func(n store.Notice) {
		if _, f := l.now(); f != muted && f != away && f != hung {
			notify(n)
		}
	})
}

func (l *link) Announce(ctx context.Context, n store.Notice) error {
	s, err := l.gate(ctx, false)
	if err != nil {
		return err
	}
	return s.Announce(ctx, n)
}

func (l *link) Exchange(ctx context.Context, split string, epoch uint64, from store.MemberID, frame []byte) (map[store.MemberID][]byte, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return nil, err
	}
	return s.Exchange(ctx, split, epoch, from, frame)
}

func (l *link) Secret(ctx context.Context, proposed string) (string, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return "", err
	}
	return s.Secret(ctx, proposed)
}

func (l *link) Describe() store.Description { s, _ := l.now(); return s.Describe() }

// Close leaves the shared store open.
func (l *link) Close() error { return nil }

var _ store.Store = (*link)(nil)

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
		w.Record(time.Now(), o)
	}
}

// fails feeds n failures of green and as many successes of blue.
func (p *proxy) fails(n int) {
	p.record(0, n, health.Success)
	p.record(1, n, health.Failure)
}

// status fails the test if there is none.
func (p *proxy) status(t testing.TB) rollout.Status {
	t.Helper()
	s, err := p.Status("assistant")
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
