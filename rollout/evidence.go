package rollout

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// showOften is how often an instance shows the others what people look at, while a split is watched.
	showOften = 2 * time.Second
	// restEvery is how many seconds of a split at rest are looked at together, by all instances at the same time of the
	// store's clock: splits at rest cost next to nothing.
	restEvery = 10
	// watchedFor is how long a split is watched after a failback, for the cause to show on stable too.
	watchedFor = 10 * time.Minute
)

// docket is how far this instance is with a split's evidence. Only the judge's loop may touch it.
type docket struct {
	epoch    uint64
	last     int64          // the newest second that has matured here, by the store's clock
	kept     *health.Second // what waits for the next number; nil if nothing does
	own      *health.Judge  // judges by this instance's evidence alone
	heardOwn int64          // the newest second that it has heard
	shown    time.Time      // when the others were last shown what people look at
	round    int64          // of restEvery seconds, the one in which the split at rest was last looked at

	fleet *health.Judge    // judges by the fleet's, while this instance folds; nil: to be loaded
	base  store.JudgeState // what it was loaded from, or last written
	next  int64            // the next second to fold
	// changed says that there is something to write of it, wrote when that was done last.
	changed bool
	wrote   time.Time

	heard     int64  // the newest second that another instance is known to have folded of the epoch
	acquitted string // the change that ended the last probe which this instance's own judge knows of

	advance  advancing           // what is known of the plan, while this instance folds
	held     heldFailback        // a failback that is held
	recorded map[string]struct{} // the events that this instance has recorded of the epoch
	sharesAt time.Time           // when it was looked at how users are shared

	// What was logged of what keeps failing.
	failing, folding, writing, learning, stepping, recording complaint
}

// hearing is one split in one round of the judge.
type hearing struct {
	split  *Split
	trial  trial
	second int64 // the newest that has matured
	frames []store.Frame
	seat   store.Seat
	// isHeard says that the fleet's judge hears of what has matured.
	isHeard bool
	judge   *health.Judge // the fleet's, as it is after this round, whether or not that can be written; set by fold
}

// rests reports whether a split is not looked at in this second, as nothing hangs on it.
func (s *Split) rests(now time.Time) bool {
	if state := s.State(); state != nil && isWatched(state, now) {
		return false
	}
	round := now.Unix() / restEvery
	same := s.docket.round == round
	s.docket.round = round
	return same
}

// hear takes what has matured of a split since the last round, lets this instance's own judge hear it, and packs it for the
// others; nil if nothing of it is judged.
func (c *Controller) hear(s *Split, now time.Time) *hearing {
	t, ok := s.trial()
	if !ok {
		return nil
	}
	d := &s.docket
	if d.own == nil {
		d.own = health.NewJudge()
	}
	if d.epoch != t.state.Epoch {
		d.epoch, d.next, d.kept, d.heard, d.recorded = t.state.Epoch, 0, nil, 0, map[string]struct{}{}
	}
	t.instruct(d.own)
	if last := t.state; last.Changed.Kind == KindProbeEnded && d.acquitted != last.ID {
		d.acquitted = last.ID
		d.own.Acquit() // as the fleet's is
	}
	h := &hearing{split: s, trial: t}
	seconds := s.matured(t, now)
	if !t.hasArm() && t.watched { // whoever sees nothing says so, or the others wait for it
		seconds = []maturedSecond{{start: c.now().Truncate(time.Second).Add(-time.Second - time.Duration(c.skew.Load()))}}
	}
	for i := range seconds {
		if t.watched || !seconds[i].sum.IsZero() { // at rest nobody waits for what is nothing
			h.number(&seconds[i].sum, seconds[i].start.Add(time.Duration(c.skew.Load())))
		}
	}
	h.second = d.last
	h.show(now)
	return h
}

// number gives a second that began at start its number, and packs it; or keeps it for the next number.
func (h *hearing) number(sum *health.Second, start time.Time) {
	d := &h.split.docket
	if d.kept != nil {
		sum.Add(d.kept)
	}
	second, ok := d.label(start)
	if !ok {
		d.kept = sum
		return
	}
	d.kept = nil
	if isBehind(d.own, second) {
		d.own = health.NewJudge()
		h.trial.instruct(d.own)
	}
	length := time.Second
	if !h.trial.watched && d.heardOwn > 0 { // with the seconds of nothing before it
		length *= time.Duration(min(max(second-d.heardOwn, 1), restEvery))
	}
	d.own.Fold(second, length, sum)
	d.heardOwn = second
	h.add(second, sum)
}

// maxAhead is how many seconds numbers may be ahead of the store's clock. It takes frames of three minutes ahead.
const maxAhead = 120

// label numbers a second by the store's clock. No number is given twice: where that clock has gone back, numbers go on, and
// every other second is told to wait and share the number of the next, until they agree with the clock again. Only where it
// has gone back by more than maxAhead do numbers go back with it.
func (d *docket) label(start time.Time) (second int64, ok bool) {
	second = start.Round(time.Second).Unix()
	ahead := d.last + 1 - second
	switch {
	case ahead > 1 && ahead <= maxAhead && d.kept == nil:
		return 0, false
	case ahead > 0 && ahead <= maxAhead: // by 1 is how seconds are rounded
		second = d.last + 1
	}
	d.last = second
	return second, true
}

// isBehind reports whether numbers have gone back so far behind what a judge has folded that it would be deaf for long.
func isBehind(j *health.Judge, second int64) bool { return j.Resume()-second > maxAhead }

// add packs a second.
func (h *hearing) add(second int64, sum *health.Second) {
	data, err := sum.MarshalBinary()
	if err != nil {
		h.split.log.Error("evidence cannot be packed", zap.Error(err))
		return
	}
	h.frames = append(h.frames, store.Frame{Split: h.split.name, Epoch: h.trial.state.Epoch, Second: second, Data: data})
}

// show adds what people look at to the newest frame, now and then: at rest, each time that there is something.
func (h *hearing) show(now time.Time) {
	d := &h.split.docket
	if h.trial.watched && (len(h.frames) == 0 || now.Sub(d.shown) < showOften) {
		return
	}
	evidence := h.split.evidenceOf(h.trial.windows, now)
	if !h.trial.watched && len(h.frames) == 0 {
		if !hasRequests(evidence) {
			return
		}
		h.frames = append(h.frames, store.Frame{Split: h.split.name, Epoch: h.trial.state.Epoch, Second: h.split.clock().Unix()})
	}
	doc, err := json.Marshal(window{frameSchema, *h.trial.terms.Limits, h.split.LateFrames(), evidence})
	if err != nil {
		h.split.log.Error("what people look at cannot be encoded", zap.Error(err))
		return
	}
	h.frames[len(h.frames)-1].Window = doc
	d.shown = now
}

// hasRequests reports whether anything was counted in evidence.
func hasRequests(evidence map[string]health.Evidence) (found bool) {
	for _, e := range evidence {
		e.Counts.Each(func(_ health.Class, _ health.Cause, n uint64) { found = found || n > 0 })
	}
	return found
}

// maturedSecond is what matured of both arms in a second of this instance's clock.
type maturedSecond struct {
	start time.Time
	sum   health.Second
}

// matured takes from the windows of both arms what has matured since the last call. Their seconds begin together.
func (s *Split) matured(t trial, now time.Time) (seconds []maturedSecond) {
	arms := [health.NumArms]string{health.Baseline: t.state.Stable, health.Canary: t.state.Canary}
	for arm, name := range arms {
		w := t.windows[name]
		if w == nil {
			continue
		}
		list, lost := w.Mature(now)
		if lost > 0 {
			s.log.Warn("evidence was lost, as this instance was busy for so long", zap.String("variant", name), zap.Int("seconds", lost))
		}
		for _, m := range list {
			if m.IsNothing() && !t.watched {
				continue
			}
			i, found := slices.BinarySearchFunc(seconds, m.Start, func(x maturedSecond, at time.Time) int { return x.start.Compare(at) })
			if !found {
				seconds = slices.Insert(seconds, i, maturedSecond{start: m.Start})
			}
			seconds[i].sum.Arms[arm] = *m.Ages
		}
	}
	return seconds
}

// hasArm reports whether this instance has a variant that is judged.
func (t *trial) hasArm() bool {
	return t.windows[t.state.Stable] != nil || t.windows[t.state.Canary] != nil
}

// frameSchema is the newest schema of what instances tell each other of evidence that this release writes and reads.
const frameSchema = 1

// window is what an instance shows the others for people to look at.
type window struct {
	Schema   int                        `json:"schema"`
	Limits   health.Limits              `json:"limits"`
	Late     uint64                     `json:"late,omitempty"`
	Evidence map[string]health.Evidence `json:"evidence"`
}

// shown is what instances show of a split, added up.
type shown struct {
	evidence  map[string]health.Evidence
	instances int
	late      uint64 // frames that came too late
}

// gather adds up what all instances show of a split; without the store, it is this instance's own.
func (c *Controller) gather(ctx context.Context, s *Split, now time.Time) shown {
	evidence, epoch, limits := s.evidence(now)
	sum := shown{evidence, 1, s.LateFrames()}
	st := c.answeringStore()
	if st == nil {
		return sum
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	windows, err := st.Windows(ctx, s.name, epoch)
	if err != nil {
		s.log.Debug("what other instances show cannot be had", zap.Error(err))
		return sum
	}
	for from, doc := range windows {
		if from == c.id {
			continue
		}
		var other window
		if err := json.Unmarshal(doc, &other); err != nil {
			s.log.Warn("what another instance shows cannot be read", zap.Stringer("from", from), zap.Error(err))
			continue
		}
		if other.Schema <= frameSchema && reflect.DeepEqual(limits, other.Limits) {
			sum = shown{merged(sum.evidence, other.Evidence), sum.instances + 1, sum.late + other.Late}
		}
	}
	return sum
}

// merged adds two instances' evidence.
func merged(a, b map[string]health.Evidence) map[string]health.Evidence {
	sum := maps.Clone(a)
	for variant, e := range b {
		if mine, ok := sum[variant]; ok {
			e = mine.Merge(e)
		}
		sum[variant] = e
	}
	return sum
}
