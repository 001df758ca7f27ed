package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Split is one split as this instance runs it. It outlives configuration reloads: its windows, its requests in
// progress and its State belong to the process, not to a generation of the configuration.
type Split struct {
	// Flights are the requests in progress, of every generation of the configuration.
	Flights health.Flights

	name      string
	failbacks atomic.Uint64 // failbacks that this instance saw since it started

	saving sync.Mutex // held while a snapshot is taken and written, so that a newer one is never overwritten
	asking sync.Mutex // held while the store is read or written and its answer applied, so that answers keep their order

	mu          sync.Mutex // protects the following fields
	attachments []*Attachment
	stored      *splitter.State // the store's State as last known, perhaps from disk; nil if never known
	confirmed   bool            // stored was seen in a store by this process, not only on disk
	absent      int             // how many pulses in a row found no State in the store
	queue       []splitter.Kill // kills that hold here and are not in the store yet
	overlay     *localFailback  // a failback that holds here and is not in the store yet
	stale       bool            // the store was away for so long that on_stale takes the canary's share
	redeclare   bool            // a file was loaded since its declared versions were last compared with the State's
	effective   *splitter.State // stored with all of the above: what is decided by; nil while blind
	policy      Policy          // the one frozen in effective
	windows     map[string]*health.Window
	totals      map[string]*health.Totals
	judgement   judgement
}

// localFailback is a failback made while the store was away: it holds for its epoch and is proposed on reconnection.
type localFailback struct {
	state   *splitter.State
	verdict verdict
}

// Attachment is one user of a split: one handler of one generation of the configuration.
type Attachment struct {
	split      *Split
	def        Definition
	generation any
	view       atomic.Pointer[View]
}

// View returns what to decide by now. It takes no lock.
func (a *Attachment) View() *View { return a.view.Load() }

// Split returns what the attachment is attached to.
func (a *Attachment) Split() *Split { return a.split }

// Definition returns what the attachment's own file says.
func (a *Attachment) Definition() Definition { return a.def }

func newSplit(name string) *Split {
	return &Split{
		name:    name,
		windows: map[string]*health.Window{},
		totals:  map[string]*health.Totals{},
	}
}

// attach adds a user. Two of one generation must agree in all that the fleet must agree on.
func (s *Split) attach(def Definition, generation any) (*Attachment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayAttach(def, generation); err != nil {
		return nil, err
	}
	a := &Attachment{split: s, def: def, generation: generation}
	s.attachments = append(s.attachments, a)
	s.redeclare = true
	a.view.Store(s.viewFor(a))
	return a, nil
}

// mayAttach checks a definition against its namesakes and, when an older generation serves already, against the State:
// a reload that stable would not survive is refused, and the old configuration goes on. Caller must hold s.mu.
func (s *Split) mayAttach(def Definition, generation any) error {
	reload := false
	for _, other := range s.attachments {
		if other.generation != generation {
			reload = true
		} else if !reflect.DeepEqual(other.def, def) {
			return fmt.Errorf("split %q is defined twice, and differently: the same split in two places must agree in all "+
				"but its routes", def.Name)
		}
	}
	if reload && s.effective != nil && !def.has(s.effective.Stable) {
		return fmt.Errorf("split %q: stable is %q by the state (revision %d), and this file has only %q: either "+
			"`split rename %s %s=NEW`, or `split adopt %s --config FILE` to let the state follow the file", def.Name,
			s.effective.Stable, s.effective.Revision, def.names(), def.Name, s.effective.Stable, def.Name)
	}
	return nil
}

// detach removes a user and reports whether it was the last.
func (s *Split) detach(a *Attachment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attachments = slices.DeleteFunc(s.attachments, func(o *Attachment) bool { return o == a })
	return len(s.attachments) == 0
}

// definition returns what the newest file says. Caller must hold s.mu.
func (s *Split) definition() Definition {
	if len(s.attachments) == 0 {
		return Definition{Name: s.name}
	}
	return s.attachments[len(s.attachments)-1].def
}

// Definition returns what the newest file says.
func (s *Split) Definition() Definition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.definition()
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

// refresh works out what is decided by from now on, publishes it, and cuts what a new kill says. Caller must hold s.mu.
func (s *Split) refresh() error {
	before := s.effective
	after, err := s.compose()
	if err != nil {
		return err
	}
	policy := s.policy
	if after != nil {
		if policy, err = policyOf(after); err != nil {
			return err
		}
	}
	if after != nil && (before == nil || before.Epoch != after.Epoch || !reflect.DeepEqual(policy, s.policy)) {
		clear(s.windows)
		s.judgement = judgement{}
	}
	s.policy, s.effective = policy, after
	for _, a := range s.attachments {
		a.view.Store(s.viewFor(a))
	}
	s.cut()
	return nil
}

// cut ends the requests in progress that a kill of level cut covers. Ending one twice does nothing.
// Caller must hold s.mu.
func (s *Split) cut() {
	kills := s.queue
	if s.effective != nil {
		kills = s.effective.Kills
	}
	for _, k := range kills {
		if k.Level != splitter.KillCut {
			continue
		}
		for f := range s.Flights.All() {
			if k.Variant == "" || k.Variant == f.Variant {
				f.Cancel(ErrKilled)
			}
		}
	}
}
