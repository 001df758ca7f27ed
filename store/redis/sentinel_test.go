//go:build unix

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// underSentinel opens a store of the test's own fleet.
func underSentinel(t testing.TB, sentinels *storetest.Sentinels) (s *redis.Store, fleet string) {
	t.Helper()
	fleet = fmt.Sprintf("fleet-%d", fleets.Add(1))
	return open(t, redis.Config{Addresses: sentinels.Addresses(), MasterName: storetest.MasterName, Fleet: fleet}), fleet
}

func TestConformanceUnderSentinel(t *testing.T) {
	t.Parallel()
	sentinels := storetest.StartSentinel(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		s, _ := underSentinel(t, sentinels)
		return s
	})
	storetest.RunInbox(t, func(t *testing.T) (store.Store, func(split, order string)) {
		s, fleet := underSentinel(t, sentinels)
		return s, func(split, order string) { sentinels.Master.Order(fleet, split, order) }
	})
}

// When the master dies, the store goes on with the replica that the Sentinels put in its place.
func TestFailover(t *testing.T) {
	t.Parallel()
	sentinels := storetest.StartSentinel(t)
	s, _ := underSentinel(t, sentinels)
	state := begin(t, s, "assistant")
	w := storetest.StartWatch(t, s)
	w.Resync(t)
	sentinels.Master.Do("WAIT", 1, 1000)

	sentinels.Master.Kill()
	next, ev := storetest.Next(state, "after")
	takeover := func(ctx context.Context) error {
		err := s.Swap(ctx, state.Version, next, ev)
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Swap: got %v, want ErrUnavailable", err)
		}
		return err
	}
	if err := persist(t.Context(), takeover); err != nil {
		eventually(t, takeover) // on a busy machine the Sentinels may need a second election
	}
	wantHeard(t, s, w, "after")
}
