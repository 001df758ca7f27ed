package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	judgeEvery = time.Second
	// exchangeTimeout bounds how long a verdict waits for the other instances' evidence.
	exchangeTimeout = 300 * time.Millisecond
)

// verdict is a verdict on the canary of one epoch.
type verdict struct {
	health.Verdict
	epoch uint64
}

// judgement is the latest verdict and what it rests on.
type judgement struct {
	verdict   *health.Verdict
	evidence  map[string]health.Evidence
	instances int
}

// frame is one instance's evidence on its way to the others.
type frame struct {
	Limits   health.Limits              `json:"limits"`
	Evidence map[string]health.Evidence `json:"evidence"`
}

// judgeLoop judges every split each second.
func (c *Controller) judgeLoop(ctx context.Context) {
	ticker := time.NewTicker(judgeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, s := range c.all() {
				if err := c.judge(ctx, s, now); err != nil && ctx.Err() == nil {
					c.log.Error("cannot judge", zap.String("split", s.name), zap.Error(err))
				}
			}
		}
	}
}

// trial returns what is judged now; false if nothing is.
func (s *Split) trial() (*splitter.State, health.Limits, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effective == nil || s.policy.Failback == nil || s.effective.Progress.Phase != splitter.PhaseTrial {
		return nil, health.Limits{}, false
	}
	return s.effective, *s.policy.Failback, true
}

// judge looks at the fleet's evidence on a running trial and fails it back if it must.
func (c *Controller) judge(ctx context.Context, s *Split, now time.Time) error {
	state, limits, ok := s.trial()
	if !ok {
		s.mu.Lock()
		s.judgement = judgement{}
		s.mu.Unlock()
		return nil
	}
	j, err := c.gather(ctx, s, state, frame{limits, s.evidence(now)})
	if err != nil {
		return err
	}
	v := health.Judge(limits, j.evidence[state.Canary], j.evidence[state.Stable])
	j.verdict = &v
	s.mu.Lock()
	s.judgement = j
	s.mu.Unlock()
	if v.Result != health.Fail {
		return nil
	}
	return c.failBack(ctx, s, verdict{v, state.Epoch})
}

// gather adds up the evidence of all instances; without the store, it is this instance's own.
func (c *Controller) gather(ctx context.Context, s *Split, state *splitter.State, own frame) (judgement, error) {
	alone := judgement{evidence: own.Evidence, instances: 1}
	st := c.openStore()
	if st == nil || c.storeError() != "" {
		return alone, nil
	}
	doc, err := json.Marshal(own)
	if err != nil {
		return alone, fmt.Errorf("encode the evidence: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	frames, err := st.Exchange(ctx, s.name, state.Epoch, c.id, doc)
	if err != nil {
		c.log.Debug("judging by this instance's evidence alone", zap.String("split", s.name), zap.Error(err))
		return alone, nil
	}
	for from, doc := range frames {
		if from == c.id {
			continue
		}
		var other frame
		if err := json.Unmarshal(doc, &other); err != nil {
			c.log.Warn("another instance's evidence cannot be read", zap.Stringer("from", from), zap.Error(err))
			continue
		}
		alone.add(own.Limits, other)
	}
	return alone, nil
}

// add merges another instance's evidence, if it was gathered for the same limits.
func (j *judgement) add(limits health.Limits, other frame) {
	if !reflect.DeepEqual(limits, other.Limits) {
		return
	}
	sum := make(map[string]health.Evidence, len(j.evidence))
	for v, e := range j.evidence {
		sum[v] = e
	}
	for v, e := range other.Evidence {
		if mine, ok := sum[v]; ok {
			e = mine.Merge(e)
		}
		sum[v] = e
	}
	j.evidence = sum
	j.instances++
}

// failBack writes the failback; if the store is away it holds here until the store is back.
func (c *Controller) failBack(ctx context.Context, s *Split, v verdict) error {
	_, err := c.writeFailback(ctx, s, v)
	if !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stored == nil || s.stored.Epoch != v.epoch {
		return nil
	}
	ch, ok, ferr := Failback(s.stored, v.Verdict, By{Actor: selfActor, Via: "judge"}, c.seed())
	if ferr != nil || !ok {
		return ferr
	}
	s.overlay = &localFailback{ch.State, v}
	c.log.Error("failed back on this instance only, the store is away", zap.String("split", s.name),
		zap.String("reason", v.Reason), zap.Error(err))
	return s.refresh()
}
