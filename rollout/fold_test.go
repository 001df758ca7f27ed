package rollout_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// overtaken is a store in which, once it is so, another instance is always the first to write a judge's state.
type overtaken struct {
	store.Store
	is    atomic.Bool
	times atomic.Int64
}

func (o *overtaken) SwapJudges(ctx context.Context, swaps []store.JudgeSwap) []error {
	if !o.is.Load() {
		return o.Store.SwapJudges(ctx, swaps)
	}
	o.times.Add(1)
	errs := make([]error, len(swaps))
	for i, s := range swaps {
		errs[i] = store.JudgeConflict(s, store.JudgeState{Version: s.Next.Version})
	}
	return errs
}

// Whoever is overtaken goes on with what is stored, also after a failback.
func TestJudgeIsOvertaken(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		o := new(overtaken)
		p := start(t, s, "proxy-1", assistant(90, 10), func(opts *rollout.Options) {
			open := opts.Open
			opts.Open = func() (store.Store, error) {
				st, err := open()
				o.Store = st
				return o, err
			}
		})
		elapse(time.Second)
		p.fails(100)
		elapse(5 * time.Second)
		p.wants(t, "before it is overtaken", 0, true)
		o.is.Store(true)
		elapse(time.Minute)
		if o.times.Load() < 2 {
			t.Errorf("it tried %d times to write the judge's state, want it to go on", o.times.Load())
		}
	})
}

// unsealing is a store that seals nothing once it is so.
type unsealing struct {
	store.Store
	is atomic.Bool
}

func (u *unsealing) Seal(ctx context.Context, asks []store.SealAsk) ([][]store.Sealed, error) {
	if u.is.Load() {
		return make([][]store.Sealed, len(asks)), store.Unavailable(context.DeadlineExceeded)
	}
	return u.Store.Seal(ctx, asks)
}

// Where whoever holds the evidence cannot fold it, the others judge their own.
func TestHolderDoesNotGetOn(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		u := new(unsealing)
		p := start(t, s, "proxy-1", strict(50, 50), func(opts *rollout.Options) {
			open := opts.Open
			opts.Open = func() (store.Store, error) {
				st, err := open()
				u.Store = st
				return u, err
			}
		})
		q := start(t, s, "proxy-2", strict(50, 50))
		serve(40, healthy, p, q)
		u.is.Store(true)
		serve(60, traffic{blue: 30, green: 30, greenFails: 30}, q)
		q.wants(t, "with a canary that fails at the other instance", 0, true)
		wantKinds(t, s, "created", "failback")
	})
}

// A store that comes back empty is given again what its last holder knows of stable and of the trial.
func TestJudgeOutlivesTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := switched(t, s)
		empty := newStore(t)
		p.link.replace(empty)
		byWeights(20, 0, 0, p)
		byWeights(12, 0, 0.3, p)
		if got := stored(t, empty).RunningProbe(); got == nil {
			t.Errorf("events: got %v, want a probe by what stable was like before", kinds(t, empty))
		}
		if got := judgeOf(t, empty); got.Version == 0 {
			t.Error("the store has not been given the judge's state again")
		}
	})
}
