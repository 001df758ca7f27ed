package rollout

import (
	"encoding/json"
	"slices"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Exposure says how many of the users a canary has on that fails while its rollout is paused: nothing but a person takes them
// from it.
type Exposure struct {
	Canary string          `json:"canary"`
	Share  splitter.Weight `json:"share"`
	Stable string          `json:"stable"` // who gets them back by an abort
}

// ExposureOf returns what an event says of a canary that fails while its rollout is paused; false if it says nothing of that.
func ExposureOf(ev store.Event) (Exposure, bool) {
	var g struct{ Exposed *Exposure }
	if len(ev.Evidence) == 0 || json.Unmarshal(ev.Evidence, &g) != nil || g.Exposed == nil || g.Exposed.Canary == "" {
		return Exposure{}, false
	}
	return *g.Exposed, true
}

// exposure says who would meet a canary that fails now; nil if nobody does.
func exposure(s *splitter.State) *Exposure {
	share := s.Weights()[s.Canary]
	if share == 0 || s.KillOf(s.Canary) != nil {
		return nil
	}
	return &Exposure{Canary: s.Canary, Share: share, Stable: s.Stable}
}

// fails reports whether the canary fails by the fleet's verdict.
func (p *PlanStatus) fails() bool {
	return slices.ContainsFunc(p.Waits, func(w Wait) bool { return w.For == WaitHealth })
}
