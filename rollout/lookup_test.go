package rollout_test

import (
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// No more look-ups are in progress than may be, those included that nobody waits for any more, and Close waits for all.
func TestLookUpsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", talking(assistant(50, 50)))
		elapse(time.Second)
		look := func() rollout.LookUp {
			_, got := p.LookUp(t.Context(), p.at.Split(), []rollout.ConversationID{conversation(1)})
			return got
		}
		p.link.set(hung)
		for i := range 64 {
			if got := look(); got != rollout.LookUpLate {
				t.Fatalf("look-up %d: got %v, want late", i, got)
			}
		}
		begin := time.Now()
		if got := look(); got != rollout.LookUpBusy || time.Since(begin) > 0 {
			t.Errorf("one more: got %v after %v, want busy at once", got, time.Since(begin))
		}
		p.link.set(none)
		elapse(500 * time.Millisecond)
		if got := look(); got != rollout.LookUpNone {
			t.Errorf("after they ended: got %v, want none", got)
		}
		p.link.set(hung)
		look()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if got := look(); got != rollout.LookUpAway {
			t.Errorf("after Close: got %v, want away", got)
		}
	})
}
