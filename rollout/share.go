package rollout

import (
	"context"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// ShareStatus is what an arm of a trial got, beside what its weight promises. Shares are of stable and canary together.
type ShareStatus struct {
	Variant string
	Weight  splitter.Weight
	// Requests counts the judged ones since the plan's present step was reached; where people move the weights, those that
	// ended in the window. It is 0, as is RequestShare, if weights have changed in that time: what is due is not known then.
	Requests     uint64
	RequestShare float64
	// Users counts those since the trial began. It is 0, as is UserShare, if weights have changed since, for then users may
	// have met both, or a variant was killed meanwhile.
	Users     uint64
	UserShare float64
}

// shareStatus says what stable and canary have got; nil unless a canary is on trial. tally is what the present step of the plan
// has seen, evidence what instances show. The warning says that users are not shared as the weights say, if that is sure.
func shareStatus(s *splitter.State, tally Tally, evidence map[string]health.Evidence, now time.Time) (list []ShareStatus, warning string) {
	if s == nil || s.Progress.Phase != splitter.PhaseTrial || s.Canary == "" {
		return nil, ""
	}
	w := s.Weights()
	list = []ShareStatus{{Variant: s.Stable, Weight: w[s.Stable]}, {Variant: s.Canary, Weight: w[s.Canary]}}
	stable, canary := &list[0], &list[1]
	stable.Requests, canary.Requests = requestsSince(s, tally, evidence, now)
	if isUndisturbed(s) {
		stable.Users = evidence[s.Stable].Users.TrialSeen.Count()
		canary.Users = evidence[s.Canary].Users.TrialSeen.Count()
		warning = ratioWarning(s, stable.Users, canary.Users)
	}
	if sum := float64(stable.Requests + canary.Requests); sum > 0 {
		stable.RequestShare, canary.RequestShare = float64(stable.Requests)/sum, float64(canary.Requests)/sum
	}
	if sum := float64(stable.Users + canary.Users); sum > 0 {
		stable.UserShare, canary.UserShare = float64(stable.Users)/sum, float64(canary.Users)/sum
	}
	return list, warning
}

// tally returns what the present step of the plan has seen, if there is one.
func (s *Status) tally() Tally {
	if s.Plan == nil {
		return Tally{}
	}
	return s.Plan.Tally
}

// requestsSince returns the requests of both arms that were all placed by the present weights; zeros if nobody knows them.
func requestsSince(s *splitter.State, tally Tally, evidence map[string]health.Evidence, now time.Time) (stable, canary uint64) {
	moved, p := lastMoved(s), s.Progress
	if p.Step > 0 {
		if tally.Epoch != s.Epoch || tally.Step != p.Step || moved.After(p.Reached) {
			return 0, 0
		}
		return tally.Baseline, tally.Requests
	}
	window := time.Duration(evidence[s.Canary].Window)
	if window == 0 || now.Sub(moved) < window || now.Sub(p.Since) < window {
		return 0, 0
	}
	return health.Summarize(evidence[s.Stable]).Requests, health.Summarize(evidence[s.Canary]).Requests
}

// lastMoved returns when buckets were moved last, as far as the State remembers: the latest move is never forgotten
// before the next one.
func lastMoved(s *splitter.State) (last time.Time) {
	for _, m := range s.Moved {
		if m.At.After(last) {
			last = m.At
		}
	}
	return last
}

// isUndisturbed reports whether users were placed by the same weights all through the trial: no buckets were moved, and
// nothing was killed, which sends a variant's users to stable.
func isUndisturbed(s *splitter.State) bool {
	since := s.Progress.Since
	if len(s.Kills) > 0 || lastMoved(s).After(since) {
		return false
	}
	for _, r := range s.Revived {
		if !r.At.Before(since) {
			return false
		}
	}
	return true
}

// sharesEvery is how often whoever folds looks at how users are shared, as long as that can be told.
const sharesEvery = 5 * time.Minute

// checkShares records that users are not shared as the weights say, once in a trial. It asks the store for what instances
// show, now and then, and not once weights have changed in the trial.
func (c *Controller) checkShares(ctx context.Context, h *hearing) {
	state, d := h.trial.state, &h.split.docket
	_, isKnown := d.recorded[recordedID(state, KindShare, "")]
	if isKnown || !isUndisturbed(state) || time.Since(d.sharesAt) < sharesEvery {
		return
	}
	d.sharesAt = time.Now()
	_, warning := shareStatus(state, Tally{}, c.gather(ctx, h.split, d.sharesAt).evidence, c.now())
	if warning != "" {
		c.record(ctx, h.split, recorded(state, KindShare, "", warning, c.seed()))
	}
}
