package rollout_test

import (
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/store/embedded"
)

// Weights that are so already make no revision and no event.
func TestUnchangedWeights(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		p.set(t, 10)
		before := stored(t, s).Version
		result, err := p.tries(10)
		if err != nil || result.Note == "" || result.State.Version != before {
			t.Errorf("got %+v, %v; want the State as it was, with a note", result, err)
		}
		if now := stored(t, s).Version; now != before {
			t.Errorf("the store has revision %d, want %d", now.Revision, before.Revision)
		}
	})
}
