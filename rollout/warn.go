package rollout

import (
	"time"

	"go.uber.org/zap"
)

// sharedRest is how long after a shared cause was said it is not said again, so that one at the edge does not fill logs.
const sharedRest = 10 * time.Minute

// warned is what was said of verdicts in a trial, so that nothing is said each second.
type warned struct {
	epoch     uint64
	few, held bool
	shared    bool      // the last thing said of a shared cause is that there is one
	slow      bool      // all that was said of the last one is that both are slower
	sharedAt  time.Time // when it was
}

// warnOf logs what somebody must know of a verdict that fails nothing back: once in a trial that one user makes nearly
// all of a canary's requests, and once more if that alone keeps it from a failback; and that both variants are in trouble for
// a shared cause, once in ten minutes, or sooner if they fail by now and were only slower; and when that is over. Only the
// judge may call it.
func (s *Split) warnOf(v verdict) {
	if s.warned.epoch != v.epoch {
		s.warned = warned{epoch: v.epoch}
	}
	w := &s.warned
	fields := []zap.Field{zap.Uint64("epoch", v.epoch), zap.String("verdict", v.Reason)}
	switch now := time.Now(); {
	case v.SharedCause && (!w.shared && (w.sharedAt.IsZero() || now.Sub(w.sharedAt) >= sharedRest) || w.slow && !v.SharedSlow):
		w.shared, w.slow, w.sharedAt = true, v.SharedSlow, now
		if v.SharedSlow {
			s.log.Warn("both variants are slower than before, or than a limit: a shared cause, nothing is failed back", fields...)
		} else {
			s.log.Error("both variants fail: a shared cause, nothing is failed back", fields...)
		}
	case !v.SharedCause && w.shared:
		w.shared = false
		s.log.Info("no shared cause any more", fields...)
	}
	few := v.FewUsers
	if few == nil {
		return
	}
	fields = append(fields, zap.Float64("share", few.Share), zap.Float64("requests", few.Requests))
	switch {
	case few.Held && !w.held:
		w.few, w.held = true, true
		s.log.Error("a canary that looks bad is not failed back, as that rests on one user: kill it, or set few_users failback "+
			"and apply the policy, if it is the version", fields...)
	case !w.few:
		w.few = true
		s.log.Warn("one user makes nearly all of the canary's requests: version and user cannot be told apart", fields...)
	}
}
