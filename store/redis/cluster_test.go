//go:build unix

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// inCluster opens a store of the test's own fleet in a cluster.
func inCluster(t testing.TB, c *storetest.Cluster) (s *redis.Store, fleet string) {
	t.Helper()
	fleet = fmt.Sprintf("fleet-%d", fleets.Add(1))
	return open(t, redis.Config{Addresses: c.Addresses(), Cluster: true, Fleet: fleet}), fleet
}

func TestConformanceInCluster(t *testing.T) {
	t.Parallel()
	cluster := storetest.StartCluster(t, 3)
	storetest.Run(t, func(t *testing.T) store.Store {
		s, _ := inCluster(t, cluster)
		return s
	})
	storetest.RunInbox(t, func(t *testing.T) (store.Store, func(split, order string)) {
		s, fleet := inCluster(t, cluster)
		node, _ := cluster.Owner("switchback:{" + fleet + "}:")
		return s, func(split, order string) { node.Order(fleet, split, order) }
	})
}

// In a cluster a client needs to ask who holds what, beyond what it needs of one server.
func TestAccessInCluster(t *testing.T) {
	t.Parallel()
	cluster := storetest.StartCluster(t, 3)
	for _, node := range cluster.Nodes {
		node.Do("ACL", "SETUSER", "least", "on", ">password", "~switchback:*", "&switchback:*", "-@all", "+@read", "+@write",
			"+@pubsub", "+@scripting", "+@connection", "+time", "+cluster|slots")
	}
	s := open(t, redis.Config{Addresses: cluster.Addresses(), Cluster: true, Username: "least", Password: "password",
		Fleet: "least"})
	storetest.StartWatch(t, s).Resync(t)
	node, _ := cluster.Owner("switchback:{least}:")
	wantAllowed(t, node, s, "least")
}

// In a cluster it is the node that holds the fleet's keys which must keep them.
func TestDurabilityInCluster(t *testing.T) {
	t.Parallel()
	cluster := storetest.StartCluster(t, 3)
	evicting, _ := cluster.Owner("switchback:{evicting}:")
	evicting.Do("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
	for i := range 20 {
		fleet := fmt.Sprint("fleet-", i)
		owner, _ := cluster.Owner("switchback:{" + fleet + "}:")
		s := open(t, redis.Config{Addresses: cluster.Addresses(), Cluster: true, Fleet: fleet})
		if _, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}}); err != nil {
			t.Fatal(err)
		}
		redis.AwaitInspection(s)
		if got := s.Describe().Warning; (got != "") != (owner == evicting) {
			t.Errorf("%s: got warning %q, want one if its node evicts (%t)", fleet, got, owner == evicting)
		}
	}
}

// Moving the slot of the fleet's keys to another node, as when a cluster grows, loses no change and no order, and fails
// no call for longer than it takes.
func TestSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := storetest.StartCluster(t, 3)
	s, fleet := inCluster(t, cluster)
	storetest.WantClaimed(t, s, alerts(10))
	state := begin(t, s, "assistant")
	w := storetest.StartWatch(t, s)
	w.Resync(t)
	halfway, last := make(chan struct{}), state
	var changing sync.WaitGroup
	changing.Go(func() { last = changeUntil(t, s, state, halfway, 20) })

	key := "switchback:{" + fleet + "}:"
	from, _ := cluster.Owner(key)
	from.Order(fleet, "assistant", "stop it")
	cluster.MoveSlot(key, func() { close(halfway) })
	changing.Wait()
	if to, _ := cluster.Owner(key); to == from {
		t.Error("the slot is where it was")
	}
	p, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}, ListMembers: true,
		Applied: map[string]splitter.Version{"assistant": {}}})
	if err != nil || p.Versions["assistant"] != last.Version || p.Orders["assistant"] != "stop it" || len(p.Members) != 1 {
		t.Errorf("Pulse: got %+v, %v, want %v, the order and a member", p, err, last.Version)
	}
	events, err := s.Events(t.Context(), "assistant", 1000)
	if err != nil || uint64(len(events)) != last.Revision {
		t.Errorf("Events: got %d, %v, want %d", len(events), err, last.Revision)
	}
	var order []string
	for _, ev := range slices.Backward(events) {
		order = append(order, ev.ID)
	}
	storetest.WantClaimed(t, s, alerts(1000), order...)
	wantHeard(t, s, w, "after")
}

// changeUntil makes one change after the other, trying each until it succeeds, and n more once until is closed. It returns
// the last State.
func changeUntil(t *testing.T, s store.Store, state *splitter.State, until <-chan struct{}, n int) *splitter.State {
	for left := n; left > 0; {
		select {
		case <-until:
			left--
		default:
		}
		next, ev := storetest.Next(state, fmt.Sprint("change-", state.Revision))
		tries := 0
		err := persist(t.Context(), func(ctx context.Context) error {
			tries++
			return changeOnce(ctx, t, s, state, next, ev)
		})
		if err != nil {
			t.Errorf("change %d: %v", next.Revision, err)
			return state
		}
		if tries > 1 {
			t.Logf("change %d was tried %d times", next.Revision, tries)
		}
		state = next
	}
	return state
}

// changeOnce makes a change, after a look at what it is made from: that may be out of reach, never missing or older.
func changeOnce(ctx context.Context, t *testing.T, s store.Store, state, next *splitter.State, ev store.Event) error {
	loaded, err := s.Load(ctx, state.Split)
	if err != nil && !errors.Is(err, store.ErrUnavailable) || err == nil && loaded.Revision < state.Revision {
		t.Errorf("Load: got %+v, %v, want revision %d", loaded, err, state.Revision)
	}
	return s.Swap(ctx, state.Version, next, ev)
}
