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
)

// Split is one split as this instance runs it. It outlives configuration reloads: its windows, its requests in
// progress and its State belong to the process, not to a generation of the configuration.
type Split struct {
	// Flights are the requests in progress, of every generation of the configuration.
	Flights *health.Flights
	// Conversations are those that this instance has seen.
	Conversations Conversations

	name      string
	log       *zap.Logger
	wake      func()        // tells that cutDue is to be called
	complaint string        // what was logged last of what keeps failing; used by the pulse alone
	few       fewWarned     // what was logged of few users; used by the judge alone
	failbacks atomic.Uint64 // failbacks that this instance saw since it started
	refused   atomic.Uint64 // requests that a kill refused since it started

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
	redeclare   bool                       // a file came into force since its declared versions were last compared with the State's
	effective   *splitter.State            // stored with all of the above: what is decided by; nil while blind
	policy      Policy                     // the one frozen in effective
	windows     map[string]*health.Window
	origin      time.Time // that all windows' seconds are aligned to; never changes
	totals      map[string]*health.Totals
	judgement   judgement
	spreads     map[string]*spread // how kills end requests by and by, by the kills' ids
	place       int                // where among Flights to go on with that
}

func newSplit(name string, flights *health.Flights, log *zap.Logger, wake func()) *Split {
	return &Split{
		Flights: flights,
		name:    name,
		log:     log.With(zap.String("split", name)),
		wake:    wake,
		windows: map[string]*health.Window{},
		origin:  time.Now(),
		totals:  map[string]*health.Totals{},
		spreads: map[string]*spread{},
	}
}

// complain logs what keeps failing, once until it changes. Only the pulse may call it.
func (s *Split) complain(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != s.complaint {
		s.log.Warn(what, zap.Error(err))
	}
	s.complaint = text
}

// State returns what this instance decides by: nil while it boots blind.
func (s *Split) State() *splitter.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.effective
}

// storedState returns the store's State as last known.
func (s *Split) storedState() *splitter.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}

// Failbacks returns how many failbacks this instance saw since it started.
func (s *Split) Failbacks() uint64 { return s.failbacks.Load() }

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
	s.effective = s.compose()
	if after := s.effective; after != nil {
		s.policy = s.readPolicy(after)
		if before == nil || before.Epoch != after.Epoch || before.Salt != after.Salt || !reflect.DeepEqual(judged, s.policy) {
			clear(s.windows)
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
