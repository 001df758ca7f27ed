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

// How often an instance shows the others what people look at: while a canary is on trial, and else.
const (
	showOften  = 2 * time.Second
	showSeldom = 5 * time.Second
)

// docket is how far this instance is with a split's evidence. Only the judge's loop may touch it.
type docket struct {
	epoch uint64
	last  int64         // the newest second that has matured here, by the store's clock
	own   *health.Judge // judges by this instance's evidence alone
	shown time.Time     // when the others were last shown what people look at

	fleet *health.Judge    // judges by the fleet's, while this instance folds; nil: to be loaded
	base  store.JudgeState // what it was loaded from, or last written
	next  int64            // the next second to fold
	// changed says that there is something to write of it, wrote when that was done last.
	changed bool
	wrote   time.Time
}

// hearing is one split in one round of the judge.
type hearing struct {
	split  *Split
	trial  trial
	second int64 // the newest that has matured
	frames []store.Frame
	seat   store.Seat
	judge  *health.Judge // the fleet's, as it is after this round, whether or not that can be written; set by fold
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
		d.epoch, d.next = t.state.Epoch, 0
	}
	t.tell(d.own)
	h := &hearing{split: s, trial: t}
	seconds := s.matured(t, now)
	if !t.hasArm() { // whoever sees nothing says so, or the others wait for it
		seconds = []maturedSecond{{start: c.now().Truncate(time.Second).Add(-time.Second - time.Duration(c.skew.Load()))}}
	}
	for _, m := range seconds {
		second := d.label(m.start.Add(time.Duration(c.skew.Load())))
		d.own.Fold(second, time.Second, &m.sum)
		h.add(second, &m.sum)
	}
	h.second = d.last
	h.show(now)
	return h
}

// label numbers a second by the store's clock. No number is given twice; if that clock has gone back for long, numbers go
// back with it.
func (d *docket) label(start time.Time) int64 {
	second := start.Round(time.Second).Unix()
	if behind := d.last - second; behind >= 0 && behind < 5 {
		second = d.last + 1
	}
	d.last = second
	return second
}

// add packs a second.
func (h *hearing) add(second int64, sum *health.Second) {
	data, err := sum.MarshalBinary()
	if err != nil {
		h.split.log.Error("evidence cannot be packed", zap.Error(err))
		return
	}
	h.frames = append(h.frames, store.Frame{Split: h.split.name, Epoch: h.trial.state.Epoch, Second: second, Data: data})
}

// show adds what people look at to the newest frame, now and then.
func (h *hearing) show(now time.Time) {
	often := showSeldom
	if h.trial.onTrial {
		often = showOften
	}
	d := &h.split.docket
	if len(h.frames) == 0 || now.Sub(d.shown) < often {
		return
	}
	doc, err := json.Marshal(window{frameSchema, *h.trial.terms.Limits, h.split.evidenceOf(h.trial.windows, now)})
	if err != nil {
		h.split.log.Error("what people look at cannot be encoded", zap.Error(err))
		return
	}
	h.frames[len(h.frames)-1].Window = doc
	d.shown = now
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
			i, found := slices.BinarySearchFunc(seconds, m.Start, func(x maturedSecond, at time.Time) int { return x.start.Compare(at) })
			if !found {
				seconds = slices.Insert(seconds, i, maturedSecond{start: m.Start})
			}
			seconds[i].sum.Arms[arm] = m.Ages
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
	Evidence map[string]health.Evidence `json:"evidence"`
}

// gather adds up what all instances show of a split; without the store, it is this instance's own.
func (c *Controller) gather(ctx context.Context, s *Split, now time.Time) (sum map[string]health.Evidence, instances int) {
	own, epoch, limits := s.evidence(now)
	st := c.openStore()
	if st == nil || c.storeError() != "" {
		return own, 1
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	windows, err := st.Windows(ctx, s.name, epoch)
	if err != nil {
		s.log.Debug("what other instances show cannot be had", zap.Error(err))
		return own, 1
	}
	sum, instances = own, 1
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
			sum, instances = merged(sum, other.Evidence), instances+1
		}
	}
	return sum, instances
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
