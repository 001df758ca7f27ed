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

// overdue is since when a step would be due but for members, and but for a pass, as far as this instance has looked on; used
// by the judge alone.
type overdue struct {
	epoch            uint64
	step             int
	members, verdict time.Time // by the store's clock; zero if it is not so
}

// note notes what holds a step now. A step is not overdue as long as time, a pause, a kill or a canary that
// fails holds it as well: that is planned, or was told of. So is a lack of requests, without which there is no verdict.
func (o *overdue) note(s *splitter.State, m Move, now time.Time) {
	if o.epoch != s.Epoch || o.step != s.Progress.Step {
		*o = overdue{epoch: s.Epoch, step: s.Progress.Step}
	}
	isHeld := !m.waitsFor(WaitBake, WaitWindow, WaitResume, WaitRevival, WaitHealth)
	for what, since := range map[WaitFor]*time.Time{WaitMembers: &o.members, WaitVerdict: &o.verdict} {
		switch {
		case !isHeld || !m.waitsFor(what) || what == WaitVerdict && m.waitsFor(WaitTraffic, WaitMinimum):
			*since = time.Time{}
		case since.IsZero():
			*since = now
		}
	}
}

// tellOfOverdue records that members, or a verdict that is no pass, hold a step that would be due otherwise: each once in a
// step. People are told of members after two minutes, of the verdict after as long as of a canary without traffic.
func (c *Controller) tellOfOverdue(ctx context.Context, h *hearing, m Move) {
	state, plan, o, now := h.trial.state, h.trial.plan, &h.split.docket.advance.overdue, c.now()
	o.note(state, m, now)
	tell := func(what WaitFor, since time.Time, after time.Duration) {
		if since.IsZero() || now.Sub(since) < after {
			return
		}
		reason := fmt.Sprintf("the rollout holds at %s: %s", plan.weightText(state.Progress.Step), strings.Join(m.textsOf(what), "; "))
		c.record(ctx, h.split, recorded(state, KindWaiting, string(what), reason, c.seed()))
	}
	tell(WaitMembers, o.members, membersOverdue)
	tell(WaitVerdict, o.verdict, time.Duration(plan.NoTraffic))
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
