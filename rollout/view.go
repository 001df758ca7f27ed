package rollout

import (
	"maps"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// View is what one instance decides by at one moment: immutable, read with one atomic load. Variants are indexed as
// in the Definition that the reader attached with.
type View struct {
	// State is nil while the instance boots blind.
	State *splitter.State
	// Table decides.
	Table *splitter.Table
	// Windows take the evidence of this epoch, by variant; a request records into the window it was decided with,
	// so an outcome counts only for its own epoch.
	Windows []*health.Window
	// Totals count since the process started, by variant.
	Totals []*health.Totals
}

// Epoch returns the State's epoch; 0 while booting blind.
func (v *View) Epoch() uint64 {
	if v.State == nil {
		return 0
	}
	return v.State.Epoch
}

// viewFor compiles what an attachment decides by. Caller must hold s.mu.
func (s *Split) viewFor(a *Attachment) *View {
	state := s.effective
	v := &View{State: state}
	known := a.def.names()
	switch {
	case state == nil:
		v.Table = splitter.Blind(known, slices.Index(known, a.def.Stable), s.queue)
	case !a.def.has(state.Stable):
		v.Table = splitter.Blind(known, slices.Index(known, a.def.Stable), state.Kills)
	default:
		v.Table = splitter.Compile(state, known)
	}
	v.Windows = make([]*health.Window, len(known))
	v.Totals = make([]*health.Totals, len(known))
	for i, name := range known {
		v.Windows[i] = s.window(name)
		v.Totals[i] = s.totalsOf(name)
	}
	return v
}

// window returns the variant's window of the present epoch. Caller must hold s.mu.
func (s *Split) window(variant string) *health.Window {
	w, ok := s.windows[variant]
	if !ok {
		w = health.NewWindow(s.limits(), s.totalsOf(variant))
		w.Align(s.origin)
		w.Mature(time.Now()) // from now on, whether requests come or not
		s.windows[variant] = w
	}
	return w
}

// limits returns what the present epoch is judged by, or the defaults if nothing is: windows are kept all the same,
// for people to look at. Caller must hold s.mu.
func (s *Split) limits() health.Limits {
	if s.policy.Failback != nil {
		return *s.policy.Failback
	}
	return health.DefaultLimits()
}

// totalsOf returns the variant's counters. Caller must hold s.mu.
func (s *Split) totalsOf(variant string) *health.Totals {
	t, ok := s.totals[variant]
	if !ok {
		t = new(health.Totals)
		s.totals[variant] = t
	}
	return t
}

// evidence gathers this instance's own evidence per variant of the present epoch, and says under which limits.
func (s *Split) evidence(now time.Time) (_ map[string]health.Evidence, epoch uint64, limits health.Limits) {
	s.mu.Lock()
	limits, windows := s.limits(), maps.Clone(s.windows)
	if s.effective != nil {
		epoch = s.effective.Epoch
	}
	s.mu.Unlock()
	return s.evidenceOf(windows, now), epoch, limits
}

// evidenceOf reads windows, and the flights that belong to them.
func (s *Split) evidenceOf(windows map[string]*health.Window, now time.Time) map[string]health.Evidence {
	out := make(map[string]health.Evidence, len(windows))
	for name, w := range windows {
		out[name] = w.Evidence(now, s.Flights.All())
	}
	return out
}
