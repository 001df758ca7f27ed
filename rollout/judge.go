package rollout

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// judgeLag is how long after a second has ended, by the store's clock, its evidence is put: what the last requests say
	// of themselves is written by then.
	judgeLag = 50 * time.Millisecond
	// sealLag is how long after that whoever folds asks for it, so that the others have put theirs.
	sealLag = 250 * time.Millisecond
	// evidenceTimeout bounds each call to the store for evidence: the next second follows.
	evidenceTimeout = 300 * time.Millisecond
	// plannedRaises is how many times a canary's share is expected to be raised after the start: from 1 % to 5, 10, 25, 50
	// and 100 %.
	plannedRaises = 5
)

// verdict is a verdict on the canary of one epoch.
type verdict struct {
	health.Verdict
	epoch uint64
}

// judgement is what is known here of how a trial is judged.
type judgement struct {
	Verdict *health.Verdict
	// Second is the last second that it rests on, Instances how many frames that had, Missing whose was not there.
	Second    int64
	Instances int
	Missing   []string
	// Late counts the frames that came too late since the split began.
	Late uint64
	// alone says that it rests on this instance's requests only.
	alone bool
}

// judgeLoop judges every split each second, as the store's seconds end.
func (c *Controller) judgeLoop(ctx context.Context) {
	for {
		now := c.now()
		next := now.Truncate(time.Second).Add(judgeLag)
		if !next.After(now) {
			next = next.Add(time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next.Sub(now)):
			c.judgeAll(ctx)
		}
	}
}

// judgeAll takes what has matured on this instance to the store, and folds the fleet's where this instance is the one to.
func (c *Controller) judgeAll(ctx context.Context) {
	now := time.Now()
	var cases []*hearing
	for _, s := range c.all() {
		if h := c.hear(s, now); h != nil {
			cases = append(cases, h)
		}
	}
	if len(cases) == 0 {
		return
	}
	if err := c.submit(ctx, cases); err != nil {
		if ctx.Err() == nil {
			c.judgeAlone(ctx, cases, err)
		}
		return
	}
	c.foldHeld(ctx, cases)
}

// trial is what is judged now.
type trial struct {
	state   *splitter.State
	terms   health.Trial
	windows map[string]*health.Window
	onTrial bool
}

// trial returns what is judged now; false, and no judgement any more, if nothing ever is. Between trials the judge goes on
// to learn what stable is like.
func (s *Split) trial() (trial, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effective == nil || s.policy.Failback == nil {
		s.judgement = judgement{}
		return trial{}, false
	}
	t := trial{state: s.effective, windows: maps.Clone(s.windows), onTrial: s.effective.Progress.Phase == splitter.PhaseTrial}
	if !t.onTrial {
		s.judgement = judgement{}
	}
	t.terms = health.Trial{Epoch: t.state.Epoch, Settings: s.policy.Judge, Limits: s.policy.Failback, Raises: plannedRaises}
	return t, true
}

// tell makes a judge judge the trial that is on, or rest.
func (t *trial) tell(j *health.Judge) {
	if !t.onTrial {
		j.Rest(t.terms)
		return
	}
	j.Begin(t.terms)
	for _, m := range t.raises() {
		j.Shift(m.at, m.raised)
	}
}

// raise is a second in which weights changed.
type raise struct {
	at     int64
	raised bool
}

// raises lists when weights changed since the trial began, oldest first.
func (t *trial) raises() (list []raise) {
	began := t.state.Progress.Since.Unix()
	for _, m := range t.state.Moved {
		at := m.At.Unix()
		if at <= began {
			continue
		}
		raised := m.Variant == t.state.Stable
		i, found := slices.BinarySearchFunc(list, at, func(r raise, at int64) int { return cmp.Compare(r.at, at) })
		if found {
			list[i].raised = list[i].raised || raised
		} else {
			list = slices.Insert(list, i, raise{at, raised})
		}
	}
	return list
}

// keep remembers a judgement of the trial unless another one has begun.
func (s *Split) keep(j judgement, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effective != nil && s.effective.Epoch == epoch {
		s.judgement = j
	}
}

// judgeAlone judges by this instance's own evidence, with its part of alpha, while the store does not take it.
func (c *Controller) judgeAlone(ctx context.Context, cases []*hearing, why error) {
	for _, h := range cases {
		if !h.trial.onTrial {
			continue
		}
		j := h.split.docket.own
		j.Share(c.crew(h.split.name))
		v := j.Verdict()
		h.split.keep(judgement{Verdict: &v, Second: h.second, Instances: 1, alone: true}, h.trial.state.Epoch)
		c.log.Debug("judging by this instance's evidence alone", zap.String("split", h.split.name), zap.Error(why))
		c.act(ctx, h.split, verdict{v, h.trial.state.Epoch})
	}
}

// act does what follows from a verdict.
func (c *Controller) act(ctx context.Context, s *Split, v verdict) {
	s.warnOf(v)
	if v.Result != health.Fail {
		return
	}
	if err := c.failBack(ctx, s, v); err != nil && ctx.Err() == nil {
		s.log.Error("cannot fail back", zap.Error(err))
	}
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

// submit puts what has matured. It needs a store that is there.
func (c *Controller) submit(ctx context.Context, cases []*hearing) error {
	st := c.openStore()
	if st == nil || c.storeError() != "" {
		return errAway
	}
	var frames []store.Frame
	for _, h := range cases {
		frames = append(frames, h.frames...)
	}
	if len(frames) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	seats, err := st.PutFrames(ctx, c.id, frames)
	if err != nil {
		return err
	}
	for _, h := range cases {
		for range h.frames {
			h.seat, seats = seats[0], seats[1:]
			if h.seat.Late {
				h.split.late.Add(1)
			}
		}
	}
	return nil
}
