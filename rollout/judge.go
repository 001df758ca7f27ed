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
	// evidenceTimeout bounds each call to the store for evidence: a round of three calls is over before the lease ends.
	evidenceTimeout = 500 * time.Millisecond
	// plannedRaises is how many times a canary's share is expected to be raised after the start, where no plan says: from
	// 1 % to 5, 10, 25, 50 and 100 %.
	plannedRaises = 5
)

// verdict is a verdict on the canary of one epoch.
type verdict struct {
	health.Verdict
	epoch uint64
	since int64 // since which second the canary counts: see judgedSince
}

// judgement is what is known here of how a trial is judged.
type judgement struct {
	Verdict *health.Verdict
	// Second is the last second that it rests on, Instances how many frames that had, Missing whose was not there.
	Second    int64
	Instances int
	Missing   []string
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
		if s.rests(c.now()) {
			continue
		}
		if h := c.hear(s, now); h != nil {
			cases = append(cases, h)
		}
	}
	if len(cases) == 0 {
		return
	}
	err := c.submit(ctx, cases)
	c.judgeAlone(ctx, cases, err)
	c.foldHeld(ctx, cases)
}

// trial is what is judged now.
type trial struct {
	state   *splitter.State
	plan    *Plan // nil if the trial goes by none
	terms   health.Trial
	windows map[string]*health.Window
	onTrial bool
	watched bool // every second counts
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
	t := trial{state: s.effective, plan: s.plan, windows: maps.Clone(s.windows), watched: isWatched(s.effective, s.clock()),
		onTrial: s.effective.Progress.Phase == splitter.PhaseTrial}
	if !t.onTrial {
		s.judgement = judgement{}
	}
	stable := t.state.Stable + " " + t.state.Declared[t.state.Stable]
	t.terms = health.Trial{Epoch: t.state.Epoch, Stable: stable, Since: judgedSince(t.state), Settings: s.policy.Judge,
		Limits: s.policy.Failback, Raises: plannedRaises}
	if t.plan != nil {
		t.terms.Raises = t.plan.Last() - 1
	}
	return t, true
}

// isWatched reports whether every second of a split is looked at: in a trial, and for a while after a failback.
func isWatched(s *splitter.State, now time.Time) bool {
	switch s.Progress.Phase {
	case splitter.PhaseTrial:
		return true
	case splitter.PhaseFailedBack:
		return now.Sub(s.Progress.Since) < watchedFor
	}
	return false
}

// instruct makes a judge judge the trial that is on, or rest.
func (t *trial) instruct(j *health.Judge) {
	if !t.onTrial {
		j.Rest(t.terms)
		return
	}
	j.Begin(t.terms)
	for _, m := range t.raises() {
		j.Shift(m.at, m.raised)
	}
	if probe := t.state.RunningProbe(); probe != nil {
		j.Probe(probe.Since.Unix())
	}
}

// judgedSince returns since which second the canary's requests count; 0 is all of the trial.
func judgedSince(s *splitter.State) int64 {
	if s.Progress.JudgedSince.IsZero() {
		return 0
	}
	return s.Progress.JudgedSince.Unix()
}

// verdict returns a verdict on the trial.
func (t *trial) verdict(v health.Verdict) verdict {
	return verdict{v, t.state.Epoch, judgedSince(t.state)}
}

// raise is a second in which weights changed.
type raise struct {
	at     int64
	raised bool
}

// raises lists when weights changed since the trial began, or the canary was judged anew, oldest first.
func (t *trial) raises() (list []raise) {
	began := max(t.state.Progress.Since.Unix(), judgedSince(t.state))
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

// judgeAlone judges by this instance's own evidence, with its part of alpha, what the fleet's judge does not hear of it.
func (c *Controller) judgeAlone(ctx context.Context, cases []*hearing, why error) {
	for _, h := range cases {
		if h.isHeard || !h.trial.onTrial || ctx.Err() != nil {
			continue
		}
		j := h.split.docket.own
		j.Share(c.crew(h.split.name))
		v := j.Verdict()
		h.split.keep(judgement{Verdict: &v, Second: h.second, Instances: 1, alone: true}, h.trial.state.Epoch)
		c.log.Debug("judging by this instance's evidence alone", zap.String("split", h.split.name), zap.Error(why))
		if !h.trial.awaitsProbe(j, c.now()) {
			c.act(ctx, h.split, h.trial.verdict(v))
		}
	}
}

// act does what follows from a verdict.
func (c *Controller) act(ctx context.Context, s *Split, v verdict) {
	s.warnOf(v)
	if v.Result != health.Fail {
		return
	}
	if s.pausesOnFail() {
		if err := c.pausePlan(ctx, s, v); ctx.Err() == nil {
			s.docket.failing.note(s.log, "cannot pause the rollout of a canary that fails", err)
		}
		return
	}
	if c.holdsFailback(ctx, s, v) {
		return
	}
	if err := c.failBack(ctx, s, v); ctx.Err() == nil {
		s.docket.failing.note(s.log, "cannot fail back", err)
	}
}

// failBack writes the failback; if the store is away it holds here until the store is back.
func (c *Controller) failBack(ctx context.Context, s *Split, v verdict) error {
	err := errAway
	if !c.isStoreAway() {
		_, err = c.writeFailback(ctx, s, v, "")
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

// submit puts what has matured, and notes what was taken of it. Where some frames cannot be put, the others stand.
func (c *Controller) submit(ctx context.Context, cases []*hearing) error {
	var frames []store.Frame
	for _, h := range cases {
		frames = append(frames, h.frames...)
	}
	st := c.answeringStore()
	if st == nil {
		return errAway
	}
	if len(frames) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	seats, err := st.PutFrames(ctx, c.id, frames)
	for _, h := range cases {
		n := len(h.frames)
		if len(seats) < n {
			break
		}
		h.sit(seats[:n], err)
		seats = seats[n:]
	}
	return err
}

// sit notes what became of a hearing's frames. A frame that could not be put has no seat.
func (h *hearing) sit(seats []store.Seat, err error) {
	h.isHeard = true
	for _, seat := range seats {
		if seat.Late {
			h.split.late.Add(1)
		}
		isPut := err == nil || seat.Holder || seat.Late || seat.Version > 0
		h.seat, h.isHeard = seat, isPut && !seat.Late
	}
}
