package rollout

import (
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Split is one split as this instance runs it. It outlives configuration reloads: its windows, its requests in
// progress and its State belong to the process, not to a generation of the configuration.
type Split struct {
	// Flights are the requests in progress, of every generation of the configuration.
	Flights *health.Flights
	// Conversations are those that this instance has seen.
	Conversations Conversations

	name        string
	log         *zap.Logger
	wake        func()               // tells that cutDue is to be called
	clock       func() time.Time     // the store's clock as last heard
	complaint   complaint            // what was logged of what keeps failing; used by the pulse alone
	docket      docket               // how far this instance is with the evidence; used by the judge alone
	warned      warned               // what was logged of verdicts; used by the judge alone
	outdated    map[string]time.Time // since when a member has an outdated file, by boot, variant and version; used by the pulse alone
	toldOfDrift map[string]struct{}  // events recorded of members that decide by an old State; used by the pulse alone
	webhooks    *webhooks            // what the webhooks before the next step say
	failbacks   atomic.Uint64        // failbacks that this instance saw since it started
	refused     atomic.Uint64        // requests that a kill refused since it started
	late        atomic.Uint64        // frames of this instance that came too late since it started

	// The order of these locks is told at Controller.
	asking sync.Mutex // held while the store is read or written and its answer applied, so that answers keep their order
	saving sync.Mutex // held while a snapshot is taken and written, so that a newer one is never overwritten

	mu          sync.Mutex // protects the following fields
	attachments []*Attachment
	detached    []weak.Pointer[Attachment] // those that late requests may still hold
	stored      *splitter.State            // the store's State as last known, perhaps from disk; nil if never known
	confirmed   bool                       // stored was seen in a store by this process, not only on disk
	absentSince time.Time                  // since when the store is found to have no State; zero while it has one
	queue       []splitter.Kill            // kills that hold here and are not in the store yet; replaced, never modified
	order       standingOrder              // what the break-glass inbox asked for last
	lost        []lostState                // what the store had and has lost, to be brought together with what it has; replaced, never modified
	overlay     *localFailback             // a failback that holds here and is not in the store yet
	stale       bool                       // the store was away for so long that on_stale takes the canary's share
	overruled   map[string]time.Time       // when another member was last listed that declares the State's version of a variant, and ours is outdated
	effective   *splitter.State            // stored with all of the above: what is decided by; nil while blind
	policy      Policy                     // the one frozen in effective
	plan        *Plan                      // the one frozen in effective; nil if the trial goes by none that can be read
	known       known                      // what the plan moves on, as far as it is known here
	lagging     map[store.MemberID]laggard // members that decide by an older State, as last listed; replaced, never modified
	windows     map[string]*health.Window
	origin      time.Time // when a second of the store's clock began: the windows' seconds begin with it
	totals      map[string]*health.Totals
	judgement   judgement
	spreads     map[string]*spread // how kills end requests by and by, by the kills' ids
	place       int                // where among Flights to go on with that
}

func newSplit(name string, flights *health.Flights, log *zap.Logger, wake func(), clock func() time.Time) *Split {
	s := &Split{
		Flights: flights,
		name:    name,
		log:     log.With(zap.String("split", name)),
		wake:    wake,
		clock:   clock,
		windows: map[string]*health.Window{},
		totals:  map[string]*health.Totals{},
		spreads: map[string]*spread{}, overruled: map[string]time.Time{},
	}
	s.dropWindows()
	return s
}

// dropWindows lets fresh windows begin, with a second of the store's clock. Caller must hold s.mu, or have s for itself.
func (s *Split) dropWindows() {
	clear(s.windows)
	now := time.Now()
	s.origin = now.Add(-time.Duration(s.clock().Nanosecond()))
}

// complaint is what was logged last of something that is tried again and again.
type complaint string

// note logs what keeps failing, once until it changes or works again.
func (c *complaint) note(log *zap.Logger, what string, err error) {
	text := ""
	if err != nil {
		text = what + ": " + err.Error()
	}
	if text != "" && text != string(*c) {
		log.Warn(what, zap.Error(err))
	}
	*c = complaint(text)
}

// State returns what this instance decides by: nil while it boots blind.
func (s *Split) State() *splitter.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.effective
}

// judgementNow returns what is known of how the trial is judged.
func (s *Split) judgementNow() judgement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.judgement
}

// storedState returns the store's State as last known.
func (s *Split) storedState() *splitter.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}

// Failbacks returns how many failbacks this instance saw since it started.
func (s *Split) Failbacks() uint64 { return s.failbacks.Load() }

// LateFrames returns how many seconds of this instance's evidence came too late to be judged since it started.
func (s *Split) LateFrames() uint64 { return s.late.Load() }

// Refuse counts a request that a kill refused.
func (s *Split) Refuse() { s.refused.Add(1) }

// Refused returns how many requests kills refused here since this instance started.
func (s *Split) Refused() uint64 { return s.refused.Load() }

// Totals calls f for each variant's counters since the process started.
func (s *Split) Totals(f func(variant string, t *health.Totals)) {
	s.mu.Lock()
	names := make([]string, 0, len(s.totals))
	for name := range s.totals {
		names = append(names, name)
	}
	totals := make([]*health.Totals, 0, len(names))
	slices.Sort(names)
	for _, name := range names {
		totals = append(totals, s.totals[name])
	}
	s.mu.Unlock()
	for i, t := range totals {
		f(names[i], t)
	}
}

// refresh works out what is decided by from now on, publishes it, and cuts what a new kill says. It cannot fail: what
// cannot be read of a State must not keep its kills from being applied. Caller must hold s.mu.
func (s *Split) refresh() {
	before, judged := s.effective, s.policy
	s.effective, s.plan = s.compose(), nil
	if after := s.effective; after != nil {
		s.policy, s.plan = s.readPolicy(after), s.readPlan(after)
		if before == nil || before.Epoch != after.Epoch || before.Salt != after.Salt || !reflect.DeepEqual(judged, s.policy) {
			s.dropWindows()
			s.judgement = judgement{}
		}
	}
	for _, a := range s.attachments {
		a.view.Store(s.viewFor(a))
	}
	s.detached = slices.DeleteFunc(s.detached, func(late weak.Pointer[Attachment]) bool {
		a := late.Value()
		if a != nil {
			a.view.Store(s.viewFor(a))
		}
		return a == nil
	})
	s.cut()
}

// readPolicy returns the policy that a State froze. One that cannot be read judges nothing.
func (s *Split) readPolicy(state *splitter.State) Policy {
	policy, err := policyOf(state)
	if err != nil {
		s.log.Error("the policy cannot be read; nothing is judged by this instance", zap.Error(err))
		return Policy{}
	}
	return policy
}

// readPlan returns the plan that a State's trial goes by. By one that cannot be read nobody goes here.
func (s *Split) readPlan(state *splitter.State) *Plan {
	plan, err := runningPlan(state)
	if err != nil {
		s.log.Error("the plan cannot be read; no step is taken by this instance", zap.Error(err))
	}
	return plan
}

// pausesOnFail reports whether the trial goes by a plan that is paused, and not failed back, when the canary fails.
func (s *Split) pausesOnFail() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan != nil && s.plan.OnFail == OnFailPause
}
