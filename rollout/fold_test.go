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
