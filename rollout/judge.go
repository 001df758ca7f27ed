package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"sync"
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

// frameSchema is the newest schema of frames that this release writes and reads.
const frameSchema = 1

// frame is one instance's evidence on its way to the others.
type frame struct {
	// Schema is that of the frame; 0 is 1, from before it was written.
	Schema   int                        `json:"schema"`
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
		case <-ticker.C:
			c.judgeAll(ctx)
		}
	}
}

// judgeAll judges all splits at once, so that none waits while another one's evidence or failback waits for the store.
func (c *Controller) judgeAll(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range c.all() {
		all.Go(func() {
			if err := c.judge(ctx, s, time.Now()); err != nil && ctx.Err() == nil {
				c.log.Error("cannot judge", zap.String("split", s.name), zap.Error(err))
			}
		})
	}
	all.Wait()
}

// trial is what is judged now.
type trial struct {
	state   *splitter.State
	limits  health.Limits
	windows map[string]*health.Window
}

// trial returns what is judged now; false, and no judgement any more, if nothing is.
func (s *Split) trial() (trial, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effective == nil || s.policy.Failback == nil || s.effective.Progress.Phase != splitter.PhaseTrial {
		s.judgement = judgement{}
		return trial{}, false
	}
	return trial{s.effective, *s.policy.Failback, maps.Clone(s.windows)}, true
}

// keep remembers a judgement of the trial unless another one has begun.
func (s *Split) keep(j judgement, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effective != nil && s.effective.Epoch == epoch {
		s.judgement = j
	}
}

// judge looks at the fleet's evidence on a running trial and fails it back if it must.
func (c *Controller) judge(ctx context.Context, s *Split, now time.Time) error {
	t, ok := s.trial()
	if !ok {
		return nil
	}
	j, err := c.gather(ctx, s, t.state.Epoch, frame{frameSchema, t.limits, s.evidenceOf(t.windows, t.limits, now)})
	if err != nil {
		return err
	}
	v := health.JudgeLimits(t.limits, j.evidence[t.state.Canary], j.evidence[t.state.Stable])
	j.verdict = &v
	s.keep(j, t.state.Epoch)
	s.warnOfFewUsers(t.state, v)
	if v.Result != health.Fail {
		return nil
	}
	return c.failBack(ctx, s, verdict{v, t.state.Epoch})
}

// gather adds up the evidence of all instances; without the store, it is this instance's own.
func (c *Controller) gather(ctx context.Context, s *Split, epoch uint64, own frame) (judgement, error) {
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
	shown := []store.Frame{{Split: s.name, Epoch: epoch, Window: doc}}
	_, err = st.PutFrames(ctx, c.id, shown)
	var frames map[store.MemberID][]byte
	if err == nil {
		frames, err = st.Windows(ctx, s.name, epoch)
	}
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

// add merges another instance's evidence, if it was gathered for the same limits and this release knows what it means.
func (j *judgement) add(limits health.Limits, other frame) {
	if other.Schema > frameSchema || !alike(limits, other.Limits) {
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

// alike reports whether evidence was gathered for the same limits. What becomes of a verdict on few users shapes none, and
// older releases do not know of it.
func alike(a, b health.Limits) bool {
	a.FewUsers, b.FewUsers = 0, 0
	return reflect.DeepEqual(a, b)
}

// failBack writes the failback; if the store is away it holds here until the store is back.
func (c *Controller) failBack(ctx context.Context, s *Split, v verdict) error {
	err := errAway
	if c.storeError() == "" {
		_, err = c.writeFailback(ctx, s, v)
	}
	if !isAway(err) || ctx.Err() != nil {
		return err
	}
	if s.failBackHere(v, c.seed()) {
		c.saveSoon(s)
		s.log.Error("failed back on this instance only, the store is away", zap.String("reason", v.Reason), zap.Error(err))
	}
	return nil
}

// failBackHere lays a failback over the State; false if there is one already or nothing to give back.
func (s *Split) failBackHere(v verdict, seed Seed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overlay != nil {
		return false
	}
	s.overlay = &localFailback{v, seed}
	s.refresh()
	return s.overlay != nil
}
