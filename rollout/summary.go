package rollout

import (
	"context"
	"encoding/json"
	"fmt"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/store"
)

// summary is what whoever folds tells all others with their next frame.
type summary struct {
	Schema    int            `json:"schema"`
	Epoch     uint64         `json:"epoch"`
	OnTrial   bool           `json:"on_trial"`
	Second    int64          `json:"second"`
	Instances int            `json:"instances"`
	Missing   []string       `json:"missing,omitempty"`
	Verdict   health.Verdict `json:"verdict"`
	Plan      *account       `json:"plan,omitempty"`
}

// storedPlan reads what a summary says of a plan; nil if nothing, or nothing that can be read.
func storedPlan(doc []byte) *account {
	var s summary
	if len(doc) == 0 || json.Unmarshal(doc, &s) != nil {
		return nil
	}
	return s.Plan
}

// learn takes over what the holder says.
func (c *Controller) learn(h *hearing) {
	if len(h.seat.Summary) == 0 {
		return
	}
	var s summary
	err := json.Unmarshal(h.seat.Summary, &s)
	h.split.docket.learning.note(h.split.log, "what the fleet's judge says cannot be read", err)
	if err != nil {
		return
	}
	if s.OnTrial && h.trial.onTrial && s.Epoch == h.trial.state.Epoch {
		h.split.docket.heard = max(h.split.docket.heard, s.Second)
		h.split.keep(s.judgement(), s.Epoch)
		h.split.know(s.Epoch, s.Plan)
		h.split.warnOf(h.trial.verdict(s.Verdict))
	}
}

// errSilent means that whoever holds a split's evidence does not get on with it.
var errSilent = fmt.Errorf("the instance that folds has said nothing for %d s", maxSilence)

// checkOn lets this instance's own judge act in a trial whose holder does not get on: nobody else hears of what matured here.
func (c *Controller) checkOn(ctx context.Context, h *hearing) {
	d := &h.split.docket
	if !h.isHeard || !h.trial.onTrial {
		return // its own judge has acted, or there is nothing to act on
	}
	if d.heard == 0 {
		d.heard = h.second
	}
	if h.second-d.heard > maxSilence {
		c.unfolded(ctx, h, errSilent)
		return
	}
	d.folding.note(h.split.log, "", nil)
}

func (s *summary) judgement() judgement {
	return judgement{Verdict: &s.Verdict, Second: s.Second, Instances: s.Instances, Missing: s.Missing}
}

// encode writes a summary within what a store takes, with fewer numbers if it must.
func (s *summary) encode(log *zap.Logger) []byte {
	short := *s
	if s.Plan != nil {
		plan := *s.Plan
		short.Plan = &plan
	}
	for {
		doc, err := json.Marshal(short)
		if err != nil {
			log.Error("the judge's summary cannot be encoded", zap.Error(err))
			return nil
		}
		if len(doc) <= store.MaxSummary {
			return doc
		}
		if !short.shorten() {
			log.Error("the judge's summary is too long", zap.Int("bytes", len(doc)))
			return nil
		}
	}
}

// shorten leaves something out, the least important first; false if there is nothing that could be.
func (s *summary) shorten() bool {
	switch n := len(s.Verdict.Streams); {
	case n > 0:
		s.Verdict.Streams = s.Verdict.Streams[:n-1]
	case len(s.Missing) > 0:
		s.Missing = s.Missing[:len(s.Missing)/2]
	case s.Plan == nil:
		return false
	case len(s.Plan.Members) > 1:
		s.Plan.Members = s.Plan.Members[:len(s.Plan.Members)/2]
	case len(s.Plan.Closed) > 1:
		s.Plan.Closed = s.Plan.Closed[:len(s.Plan.Closed)/2]
	case len(s.Plan.Shares) > 0:
		s.Plan.Shares = nil
	default:
		return false
	}
	return true
}
