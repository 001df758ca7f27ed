package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// sealPatience is how long after a second's end it is judged without those whose frames are missing.
	sealPatience = 3 * time.Second
	// maxCatchUp is how many seconds are folded at most, when nobody has for a while. Older frames are gone, or as good as.
	maxCatchUp = 90
	// maxSilence is how many seconds the fleet's judge may be behind in a trial until instances that do not fold judge alone:
	// longer than it takes another one to notice that the holder is gone, and to say what it has folded.
	maxSilence = 20
	// maxAsk is how many seconds of a split are asked for at once, so that no round takes long.
	maxAsk = 20
	// trialWrites is how often the judge's state is written at least in a trial, for the others to learn what it says.
	trialWrites = 5 * time.Second
)

// foldHeld folds the splits whose evidence this instance holds, and learns from the others' holders what those say.
func (c *Controller) foldHeld(ctx context.Context, cases []*hearing) {
	var held []*hearing
	for _, h := range cases {
		switch {
		case len(h.frames) == 0:
		case h.seat.Holder:
			held = append(held, h)
		default:
			h.split.docket.fleet = nil
			c.learn(h)
			c.checkOn(ctx, h)
		}
	}
	if len(held) == 0 || !await(ctx) {
		return
	}
	c.foldAll(ctx, c.prepareAll(ctx, held))
}

// unfolded goes on with this instance's own judge where the fleet's hears nothing.
func (c *Controller) unfolded(ctx context.Context, h *hearing, why error) {
	if ctx.Err() != nil {
		return
	}
	h.split.docket.folding.note(h.split.log, "evidence is not folded, each instance judges its own", why)
	h.isHeard = false
	c.judgeAlone(ctx, []*hearing{h}, why)
}

// await gives the others the time to put their frames: also those that are not listed yet.
func await(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(sealLag):
		return true
	}
}

// expected lists the members whose frames make a second complete: those that run the split and were heard of when the fleet
// was last listed, and this one.
func (c *Controller) expected(split string) []store.MemberID {
	list := []store.MemberID{c.id}
	p := rollOf(c.called.Load())
	for _, m := range p.Members {
		_, runs := m.Applied[split]
		if m.MemberID != c.id && runs && isAlive(p, m) {
			list = append(list, m.MemberID)
		}
	}
	return list
}

// foldAll seals what is complete, folds it, writes what became of it, and acts. One split's trouble is not another's.
func (c *Controller) foldAll(ctx context.Context, held []*hearing) {
	if len(held) == 0 {
		return
	}
	asks := make([]store.SealAsk, len(held))
	for i, h := range held {
		asks[i] = store.SealAsk{Split: h.split.name, Epoch: h.trial.state.Epoch, Patience: sealPatience,
			Seconds: h.toSeal(), Expected: c.expected(h.split.name)}
	}
	limited, cancel := context.WithTimeout(ctx, evidenceTimeout)
	sealed, err := c.openStore().Seal(limited, asks)
	cancel()
	var swaps []store.JudgeSwap
	var written []*hearing
	said := make([]*summary, len(held))
	for i, h := range held {
		var those []store.Sealed
		if i < len(sealed) { // a store that answers nothing at all may be as short
			those = sealed[i]
		}
		if err != nil && len(asks[i].Seconds) > 0 && len(those) == 0 {
			c.unfolded(ctx, h, fmt.Errorf("seconds cannot be sealed: %w", err))
			continue
		}
		said[i] = h.fold(those)
		if swap, ok := h.swap(said[i]); ok {
			swaps, written = append(swaps, swap), append(written, h)
		}
	}
	c.writeJudges(ctx, swaps, written)
	for i, h := range held {
		if said[i] != nil {
			c.conclude(ctx, h, said[i])
		}
	}
}

// toSeal lists the seconds to be folded next. At rest those of the round before, which all instances have put by now.
func (h *hearing) toSeal() []int64 {
	next, last := h.split.docket.next, h.second
	if !h.trial.watched {
		last -= restEvery
	}
	return secondsBetween(next, min(last, next+maxAsk-1))
}

func secondsBetween(first, last int64) (list []int64) {
	for s := first; s <= last; s++ {
		list = append(list, s)
	}
	return list
}

// fold adds up sealed seconds, as far as they follow upon each other, and lets the fleet's judge hear them.
func (h *hearing) fold(sealed []store.Sealed) *summary {
	d := &h.split.docket
	said := &summary{Schema: frameSchema, Epoch: h.trial.state.Epoch, OnTrial: h.trial.onTrial}
	if j := h.split.judgementNow(); j.Verdict != nil && !j.alone {
		said.Instances, said.Missing = j.Instances, j.Missing
	}
	var wrong error
	for _, s := range sealed {
		if s.Second != d.next {
			break
		}
		sum, requests := new(health.Second), map[store.MemberID]uint64{}
		for from, data := range s.Frames {
			var frame health.Second
			if err := frame.UnmarshalBinary(data); err != nil {
				wrong = fmt.Errorf("that of %s cannot be read: %w", from, err)
				continue
			}
			sum.Add(&frame)
			requests[from] = requestsOf(&frame, health.Canary) + requestsOf(&frame, health.Baseline)
		}
		d.fleet.Fold(s.Second, time.Second, sum)
		d.next++
		h.count(s.Second, sum, requests)
		said.Instances, said.Missing = len(requests), namesOfIDs(s.Missing)
	}
	d.folding.note(h.split.log, "evidence is folded without an instance's", wrong)
	h.judge = d.fleet
	said.Second, said.Verdict = d.next-1, d.fleet.Verdict()
	return said
}

// count counts a folded second for the plan that the trial goes by. While the canary is killed no time of its step passes.
func (h *hearing) count(second int64, sum *health.Second, requests map[store.MemberID]uint64) {
	if h.trial.plan == nil {
		return
	}
	frames := len(requests)
	if h.trial.state.KillOf(h.trial.state.Canary) != nil {
		frames = 0
	}
	h.split.docket.advance.tally.count(second, sum, frames, time.Duration(h.trial.plan.NoTraffic))
	h.split.docket.advance.present.note(requests)
}

func namesOfIDs(ids []store.MemberID) []string {
	var names []string
	for _, id := range ids {
		names = append(names, id.Name)
	}
	slices.Sort(names)
	return names
}

// swap returns what is to be written of a split's judge; false if nothing is. In a trial it is written when a block has
// closed, and now and then for what it says.
func (h *hearing) swap(said *summary) (store.JudgeSwap, bool) {
	d := &h.split.docket
	d.changed = d.fleet.Changed() || d.changed
	if !d.isDue(said) {
		return store.JudgeSwap{}, false
	}
	doc, err := d.fleet.MarshalBinary()
	if err != nil {
		h.split.log.Error("the judge's state cannot be encoded", zap.Error(err))
		return store.JudgeSwap{}, false
	}
	if h.trial.plan != nil {
		said.Plan = d.account()
	}
	next := store.JudgeState{Version: d.base.Version + 1, Epoch: h.trial.state.Epoch, Folded: d.fleet.Resume() - 1, Doc: doc,
		Summary: said.encode(h.split.log)}
	return store.JudgeSwap{Split: h.split.name, Prev: d.base, Next: next}, true
}

// isDue reports whether the judge's state is to be written now.
func (d *docket) isDue(said *summary) bool {
	return d.changed || said.OnTrial && d.base.Epoch == said.Epoch && time.Since(d.wrote) >= trialWrites
}

// writeJudges swaps the judges' states. Where another instance was faster, its state is taken up in the next round; what
// ours says holds all the same. What cannot be written stays here, and is written with what is folded next.
func (c *Controller) writeJudges(ctx context.Context, swaps []store.JudgeSwap, held []*hearing) {
	if len(swaps) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	for i, err := range c.openStore().SwapJudges(limited, swaps) {
		d := &held[i].split.docket
		switch {
		case errors.Is(err, store.ErrConflict):
			d.fleet = nil
			continue
		case err == nil:
			d.base, d.changed, d.wrote = swaps[i].Next, false, time.Now()
		}
		if ctx.Err() == nil {
			d.writing.note(held[i].split.log, "the judge's state cannot be written", err)
		}
	}
}
