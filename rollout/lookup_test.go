package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

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

// Who runs the proxy is told when conversations are not pinned, and not at each of them.
func TestDroppedConversationsAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		core, logs := observer.New(zap.WarnLevel)
		p := start(t, s, "proxy-1", talking(assistant(50, 50)), func(o *rollout.Options) { o.Log = zap.New(core) })
		drop := func(n int) {
			for i := range 8 + n {
				p.at.Split().Conversations.Note(rollout.ConversationID{Hash: conversation(i).Hash}, onGreen, held, false, time.Now())
			}
		}
		told := func() (dropped []any) {
			for _, entry := range logs.FilterMessageSnippet("conversations are not pinned").All() {
				dropped = append(dropped, entry.ContextMap()["dropped"])
			}
			return dropped
		}
		drop(0)
		elapse(time.Minute)
		drop(2)
		elapse(time.Second)
		drop(3)
		elapse(30 * time.Second)
		if diff := cmp.Diff([]any{uint64(2)}, told()); diff != "" {
			t.Errorf("within a minute (-want +got):\n%s", diff)
		}
		elapse(2 * time.Minute)
		if diff := cmp.Diff([]any{uint64(2), uint64(3)}, told()); diff != "" {
			t.Errorf("later (-want +got):\n%s", diff)
		}
	})
}
