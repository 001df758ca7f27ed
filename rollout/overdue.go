package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// membersOverdue is for how long members must have held a step whose time is over for people to be told.
const membersOverdue = 2 * time.Minute

// overdue is since when members hold a step that would be due otherwise, as far as this instance has looked on; used by the
// judge alone.
type overdue struct {
	epoch uint64
	step  int
	since time.Time // by the store's clock; zero if it is not so
}

// note notes what holds a step now. A step is not overdue as long as time, a pause, a kill or a canary that fails holds it as
// well: that is planned, or was told of.
func (o *overdue) note(s *splitter.State, m Move, now time.Time) {
	if o.epoch != s.Epoch || o.step != s.Progress.Step {
		*o = overdue{epoch: s.Epoch, step: s.Progress.Step}
	}
	switch {
	case !m.waitsFor(WaitMembers) || m.waitsFor(WaitBake, WaitWindow, WaitResume, WaitRevival, WaitHealth):
		o.since = time.Time{}
	case o.since.IsZero():
		o.since = now
	}
}

// tellOfOverdue records that members hold a step that would be due otherwise, once in a step, after two minutes.
func (c *Controller) tellOfOverdue(ctx context.Context, h *hearing, m Move) {
	state, o, now := h.trial.state, &h.split.docket.advance.overdue, c.now()
	o.note(state, m, now)
	if o.since.IsZero() || now.Sub(o.since) < membersOverdue {
		return
	}
	reason := fmt.Sprintf("the rollout holds at %s: %s", h.trial.plan.weightText(state.Progress.Step),
		strings.Join(m.textsOf(WaitMembers), "; "))
	c.record(ctx, h.split, recorded(state, KindWaiting, string(WaitMembers), reason, c.seed()))
}

// waitsFor reports whether a plan waits for any of these.
func (m Move) waitsFor(what ...WaitFor) bool {
	return slices.ContainsFunc(m.Waits, func(w Wait) bool { return slices.Contains(what, w.For) })
}

// textsOf returns what is said of one thing that a plan waits for.
func (m Move) textsOf(what WaitFor) (texts []string) {
	for _, w := range m.Waits {
		if w.For == what {
			texts = append(texts, w.Text)
		}
	}
	return texts
}
