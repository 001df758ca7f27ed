//go:build unix

package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/storetest"
)

func TestInbox(t *testing.T) {
	server := storetest.StartRedis(t)
	storetest.RunInbox(t, func(t *testing.T) (store.Store, func(split, order string)) {
		cfg := at(server)
		cfg.Fleet = fmt.Sprintf("fleet-%d", fleets.Add(1))
		return open(t, cfg), func(split, order string) {
			server.Order(cfg.Fleet, split, order)
		}
	})
}

// What is in an inbox and is no order breaks nothing and is told of once.
func TestOddInbox(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s, log := openLogged(t, at(server))
	state := begin(t, s, "list")
	server.Do("RPUSH", "switchback:{default}:kill:list", "stop it")
	server.Order("default", "empty", "")
	server.Order("default", "fine", "stop it")
	for range 3 {
		p, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"},
			Applied: map[string]splitter.Version{"list": {}, "empty": {}, "fine": {}, "none": {}}})
		if diff := cmp.Diff(map[string]string{"fine": "stop it"}, p.Orders); err != nil || diff != "" {
			t.Errorf("Pulse: got orders %v, %v, want only the one that is fine", p.Orders, err)
		}
	}
	for split, why := range map[string]string{"list": "WRONGTYPE", "empty": "empty string"} {
		wantLines(t, log, "split="+split+" ", 1)
		wantLines(t, log, why, 1)
	}
	next, ev := storetest.Next(state, "ordered")
	ev.Order = "stop it"
	if err := s.Swap(t.Context(), state.Version, next, ev); !errors.Is(err, store.ErrOrderGone) {
		t.Errorf("Swap: got %v, want ErrOrderGone", err)
	}
}

// An order that the server throws away, as one with an evicting policy may, is as if it had not been given: what it asked
// for was done or was not, and the absence of the key says nothing.
func TestInboxEvicted(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	state := begin(t, s, "assistant")
	server.Order("default", "assistant", "stop it")
	server.EvictInbox("default", "assistant")
	p, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"},
		Applied: map[string]splitter.Version{"assistant": {}}})
	if err != nil || len(p.Orders) != 0 || p.Versions["assistant"] != state.Version {
		t.Errorf("Pulse: got %+v, %v, want no order and the same version", p, err)
	}
	next, ev := storetest.Next(state, "ordered")
	ev.Order = "stop it"
	if err := s.Swap(t.Context(), state.Version, next, ev); !errors.Is(err, store.ErrOrderGone) {
		t.Errorf("Swap: got %v, want ErrOrderGone", err)
	}
}

// lockedBuffer is a buffer that a log writes to while a test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
