package rollout

import (
	"context"
	"fmt"

	"github.com/switchback-proxy/switchback/health"
)

// notTogether is why there is no verdict by which a plan could move while each instance judges alone.
const notTogether = "the fleet's requests cannot be judged together for now"

// findings are what is known here of what a plan moves on. A verdict on this instance's own requests alone is none of the
// fleet's, so nothing is promoted by it. Caller must hold s.mu.
func (s *Split) findings() Findings {
	f := Findings{Verdict: health.Verdict{Reason: "nothing was judged yet"}}
	if j := s.judgement; j.alone {
		f.Verdict.Reason = notTogether
	} else if j.Verdict != nil {
		f.Verdict = *j.Verdict
	}
	if s.effective != nil && s.known.epoch == s.effective.Epoch {
		f.Tally, f.Members, f.Stale, f.Closed = s.known.Tally, s.known.Members, s.known.Stale, s.known.Closed
	}
	return f
}

// findingsNow are findings for a change by hand: what is asked for that is still to be added.
func (s *Split) findingsNow() Findings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findings()
}

// closedTo asks the webhooks that stand on the way to 100 %, for somebody who asks for that now, and says which do not open:
// those before a step that is passed over stand before what is given as well. None stands before the end of the watch, nor
// before a full promotion.
func (c *Controller) closedTo(ctx context.Context, s *Split, r PromoteRequest) []string {
	s.mu.Lock()
	v, plan, state := s.findings().Verdict, s.plan, s.effective
	s.mu.Unlock()
	if r.Full || plan == nil || state.Progress.Step == plan.Last() {
		return nil
	}
	q := questionOf(*plan, state, plan.Last(), v)
	return askAll(plan.webhooksAfter(state.Progress.Step), func(g Gate) string {
		address := c.expand(g.Webhook)
		if err := s.webhooks.ask(ctx, g, address, q); err != nil {
			return fmt.Sprintf("the webhook at %s %v", hostOf(address), err)
		}
		return ""
	})
}
