package rollout_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// withInbox gives instances one inbox.
func withInbox(fleet []*proxy) *inbox {
	in := &inbox{orders: map[string]string{}}
	for _, p := range fleet {
		p.link.inbox = in
	}
	return in
}

// inboxed makes a fleet of three with an inbox.
func inboxed(t *testing.T, s *embedded.Store) ([]*proxy, *inbox) {
	t.Helper()
	fleet := make([]*proxy, 3)
	for i := range fleet {
		fleet[i] = newProxy(t, s, "proxy-"+string(rune('1'+i)), assistant(99, 1))
	}
	in := withInbox(fleet)
	for _, p := range fleet {
		p.mustStart(t)
	}
	elapse(time.Second)
	return fleet, in
}

func TestBreakGlass(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet, in := inboxed(t, s)
		in.put("assistant", " leaks\tprompts\x1b[2J\n")
		elapse(time.Second)
		for _, p := range fleet {
			p.wants(t, "killed", 1, false)
		}
		k := stored(t, s).Kills
		if len(k) != 1 || k[0].Reason != "leaks prompts [2J" || k[0].Via != "inbox" || k[0].Actor != "break-glass" || k[0].Variant != "" {
			t.Errorf("kills: got %+v, want one of the split by the inbox", k)
		}
		if left := in.all(); len(left) > 0 {
			t.Errorf("inbox: got %q, want it empty", left)
		}
		in.put("assistant", "Revive\n")
		elapse(time.Second)
		for _, p := range fleet {
			p.wants(t, "revived", 1, true)
		}
		in.put("assistant", "revive")
		elapse(time.Second)
		if got, want := kinds(t, s), []string{"created", "kill", "revive", "revive"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		if left := in.all(); len(left) > 0 {
			t.Errorf("inbox: got %q, want it empty", left)
		}
	})
}

// The same words twice are two orders.
func TestBreakGlassAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet, in := inboxed(t, s)
		for range 2 {
			in.put("assistant", "stop")
			elapse(time.Second)
			fleet[0].wants(t, "killed", 1, false)
			fleet[1].revives(t)
			elapse(2 * time.Second)
			for _, p := range fleet {
				p.wants(t, "revived", 1, true)
			}
		}
	})
}

// `revive` lifts what the inbox can make, a kill of the whole split, and leaves that of a variant alone.
func TestBreakGlassRevivesTheSplit(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet, in := inboxed(t, s)
		fleet[0].kills(t, "green")
		fleet[1].kills(t, "")
		elapse(time.Second)
		in.put("assistant", "revive")
		elapse(time.Second)
		if k := stored(t, s).Kills; len(k) != 1 || k[0].Variant != "green" {
			t.Errorf("kills: got %+v, want that of green", k)
		}
	})
}

// A store that can be read and not written to cannot take the kill: it holds on every instance all the same, also when
// the order is evicted meanwhile.
func TestBreakGlassOnAStoreThatRefusesWrites(t *testing.T) {
	for name, evicted := range map[string]bool{"order stays": false, "order is evicted": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet, in := inboxed(t, s)
				for _, p := range fleet {
					p.link.set(readable)
				}
				in.put("assistant", "stop")
				elapse(3 * time.Second)
				for _, p := range fleet {
					p.wants(t, "killed here", 1, false)
				}
				if evicted {
					in.put("assistant", "")
				}
				elapse(3 * time.Second)
				for _, p := range fleet {
					p.link.set(none)
				}
				elapse(3 * time.Second)
				state := stored(t, s)
				if len(state.Kills) != 1 || state.Kills[0].Reason != "stop" {
					t.Errorf("kills: got %+v, want one", state.Kills)
				}
				for _, p := range fleet {
					p.wants(t, "killed everywhere", 1, false)
					if notes := strings.Join(p.status(t).Notes, "\n"); strings.Contains(notes, "not in the store") {
						t.Errorf("%s: got notes %q, want nothing to wait", p.opts.Instance, notes)
					}
				}
			})
		})
	}
}

// Two instances that find an order with different States of the split make one kill of it.
func TestBreakGlassIsCarriedOutOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet, in := inboxed(t, s)
		for _, p := range fleet {
			p.link.set(muted)
		}
		fleet[2].link.set(readable) // holds the order under the State that is
		in.put("assistant", "stop")
		elapse(time.Second)
		synctest.Wait()
		fleet[2].link.set(none)
		elapse(3 * time.Second)
		if k := stored(t, s).Kills; len(k) != 1 {
			t.Errorf("kills: got %+v, want one", k)
		}
		fleet[1].revives(t)
		elapse(3 * time.Second)
		for _, p := range fleet {
			p.wants(t, "revived", 1, true)
		}
	})
}

func TestLongOrderIsCut(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		_, in := inboxed(t, s)
		in.put("assistant", strings.Repeat("é", 1000)+"\xff")
		elapse(time.Second)
		k := stored(t, s).Kills
		if len(k) != 1 || k[0].Reason != strings.Repeat("é", 500) {
			t.Errorf("got %d kills, want one with a reason of 500 characters", len(k))
		}
		if got := kinds(t, s); !cmp.Equal(got, []string{rollout.KindCreated, rollout.KindKill}) {
			t.Errorf("events: got %v", got)
		}
	})
}
