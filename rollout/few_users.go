package rollout

import (
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// fewWarned is of which trial it was said that its canary has but one user, and whether that it is held by this.
type fewWarned struct {
	epoch      uint64
	said, held bool
}

// warnOfFewUsers says, once in a trial, that one user makes nearly all of a canary's requests, and once more if that alone
// keeps a broken limit from failing back: nothing else would tell whoever waits for a verdict. Only the judge may call it.
func (s *Split) warnOfFewUsers(state *splitter.State, v health.Verdict) {
	if s.few.epoch != state.Epoch {
		s.few = fewWarned{epoch: state.Epoch}
	}
	few := v.FewUsers
	if few == nil || s.few.held || s.few.said && !few.Held {
		return
	}
	s.few.said, s.few.held = true, few.Held
	fields := []zap.Field{zap.String("variant", state.Canary), zap.Uint64("epoch", state.Epoch),
		zap.Float64("share", few.Share), zap.Uint64("requests", few.Requests), zap.String("verdict", v.Reason)}
	if few.Held {
		s.log.Error("a canary that breaks a limit is not failed back, as one user makes nearly all of its requests: kill it, or "+
			"set few_users failback and apply the policy, if it is the version", fields...)
		return
	}
	s.log.Warn("one user makes nearly all of the canary's requests: version and user cannot be told apart", fields...)
}
