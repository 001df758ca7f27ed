package rollout_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

func TestKillAndRevive(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(99, 1))
		elapse(time.Second)
		r := fleet[0].kills(t, "")
		if r.Queued || r.Event.Kind != rollout.KindKill || r.Event.Revision != 2 || len(r.Event.Kills) != 1 || r.Note != "" {
			t.Errorf("Kill: got %+v, want it written as revision 2", r)
		}
		synctest.Wait()
		for _, p := range fleet {
			p.wants(t, "killed", 1, false)
		}
		fleet[1].revives(t)
		synctest.Wait()
		for _, p := range fleet {
			p.wants(t, "revived", 1, true)
		}
		if got, want := kinds(t, s), []string{"created", "kill", "revive"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

// However the store is away, a kill holds here at once, survives a restart on disk, is written when the store is back,
// and once it is lifted no disk brings it back.
func TestKillWithoutStore(t *testing.T) {
	for name, f := range map[string]fault{"away": away, "hung": hung, "full": full} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet := starts(t, s, 2, assistant(99, 1))
				elapse(time.Second)
				p := fleet[0]
				p.link.set(f)
				r := killsAtOnce(t, p)
				if !r.Queued || !strings.Contains(r.Note, "queued on its disk") || r.Event.Kind != rollout.KindKill ||
					len(r.Event.Kills) != 1 || r.Event.Split != "assistant" {
					t.Errorf("Kill: got %+v, want it queued", r)
				}
				announced := f == full
				if strings.Contains(r.Note, "; it was announced") != announced {
					t.Errorf("note: got %q, announced: %v", r.Note, announced)
				}
				synctest.Wait()
				fleet[1].wants(t, "elsewhere", 1, !announced)

				p.close(t)
				again := newProxy(t, s, "proxy-1", assistant(99, 1), remembering(p))
				again.wants(t, "restarted, before any store", 1, false)
				disk := remembered(t, p)
				again.mustStart(t)
				elapse(2 * time.Second)
				fleet[1].wants(t, "written", 1, false)
				again.revives(t)
				elapse(time.Second)

				old := start(t, s, "proxy-3", assistant(99, 1), func(o *rollout.Options) { o.Memory = disk })
				elapse(3 * time.Second)
				for _, p := range []*proxy{again, fleet[1], old} {
					p.wants(t, "revived", 1, true)
				}
				if got, want := kinds(t, s), []string{"created", "kill", "revive"}; !cmp.Equal(got, want) {
					t.Errorf("events: got %v, want %v", got, want)
				}
			})
		})
	}
}

// killsAtOnce wants a kill to hold before the store has answered or not.
func killsAtOnce(t *testing.T, p *proxy) rollout.Result {
	t.Helper()
	done := make(chan rollout.Result)
	begun := time.Now()
	go func() { done <- p.kills(t, "") }()
	synctest.Wait()
	p.wants(t, "at once", 1, false)
	r := <-done
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("Kill took %v, want 3s at most", took)
	}
	return r
}

// remembered copies what an instance has on disk.
func remembered(t *testing.T, p *proxy) rollout.Memory {
	t.Helper()
	snap, err := p.opts.Memory.Recall("assistant")
	if err != nil || len(snap.Queued) != 1 {
		t.Fatalf("on disk: got %+v, %v, want one queued kill", snap, err)
	}
	m := rollout.Snapshots{Dir: store.DirAt(filepath.Join(t.TempDir(), "copy"))}
	if err := m.Save("assistant", snap); err != nil {
		t.Fatal(err)
	}
	return m
}

// Those who heard of a kill hold it too, and none of them writes it twice.
func TestAnnouncedKillIsWrittenOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, assistant(99, 1))
		elapse(time.Second)
		for _, p := range fleet {
			p.link.set(full)
		}
		fleet[0].kills(t, "green")
		synctest.Wait()
		for _, p := range fleet {
			if st := p.status(t); len(st.State.Kills) != 1 || !strings.Contains(strings.Join(st.Notes, "\n"), "1 kill holds here") {
				t.Errorf("%s: got %v with %q, want the kill and a note", p.opts.Instance, st.State.Kills, st.Notes)
			}
			p.link.set(none)
		}
		elapse(2 * time.Second)
		if got, want := kinds(t, s), []string{"created", "kill"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		for _, p := range fleet {
			if got := p.status(t).Notes; len(got) > 0 {
				t.Errorf("%s: notes: got %q, want none", p.opts.Instance, got)
			}
		}
	})
}

// A kill must not depend on what else is in the State, or waits beside it.
func TestKillsStandAlone(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		for _, k := range []splitter.Kill{{}, {ID: "x", Variant: "No Name"}, {ID: "y", Level: 9}} {
			if err := s.Announce(t.Context(), store.Notice{Split: "assistant", Kill: &k}); err != nil {
				t.Fatal(err)
			}
		}
		elapse(time.Second)
		p.wants(t, "announced nonsense", 1, true)

		next := stored(t, s).Clone()
		next.Parent, next.Revision, next.ID = next.ID, 2, "newer"
		next.Policy = []byte(`{"cooldown": {"first": "1h"}}`)
		next.Kills = []splitter.Kill{{ID: "k1"}}
		next.Changed.Kind = rollout.KindKill
		ev := store.Event{ID: "newer", Split: "assistant", Revision: 2, Change: next.Changed}
		if err := s.Swap(t.Context(), stored(t, s).Version, next, ev); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.wants(t, "killed beside a policy that cannot be read", 1, false)
		if got := strings.Join(p.status(t).Notes, "\n"); !strings.Contains(got, "nothing is judged by this instance") {
			t.Errorf("notes: got %q, want them to say that nothing is judged", got)
		}
	})
}

func TestQueuedKillIsForgottenAfter90Days(t *testing.T) {
	for name, tt := range map[string]struct {
		in   time.Duration
		want bool // served
	}{
		"89 days": {89 * 24 * time.Hour, false},
		"90 days": {90 * 24 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				m := rollout.Snapshots{Dir: store.DirAt(t.TempDir())}
				k := splitter.Kill{ID: "k1", At: time.Now().Add(-tt.in)}
				if err := m.Save("assistant", rollout.Snapshot{Queued: []splitter.Kill{k}}); err != nil {
					t.Fatal(err)
				}
				p := newProxy(t, s, "proxy-1", assistant(99, 1), func(o *rollout.Options) { o.Memory = m })
				p.wants(t, "blind", -1, tt.want)
				if got := p.status(t).Variants[0].Killed; got == tt.want {
					t.Errorf("status: got killed %v, want %v", got, !tt.want)
				}
				p.mustStart(t)
				elapse(2 * time.Second)
				p.wants(t, "started", 1, tt.want)
			})
		})
	}
}

// forgetful is a memory that refuses to be written.
type forgetful struct{ rollout.Memory }

func (forgetful) Save(string, rollout.Snapshot) error { return errFault }

func TestKillSaysThatTheDiskDoesNotHaveIt(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1), func(o *rollout.Options) { o.Memory = forgetful{o.Memory} })
		elapse(time.Second)
		p.link.set(away)
		if r := p.kills(t, "green"); !r.Queued || !strings.Contains(r.Note, "until it restarts (its disk did not take it: a fault") {
			t.Errorf("got %q, want it to say that the disk failed", r.Note)
		}
	})
}

func TestKillCuts(t *testing.T) {
	for name, tt := range map[string]struct {
		in   rollout.KillRequest
		want map[string]bool // cut, by variant
	}{
		"requests go on": {rollout.KillRequest{Variant: "green"}, map[string]bool{"blue": false, "green": false}},
		"a variant":      {rollout.KillRequest{Variant: "green", Level: splitter.KillCut}, map[string]bool{"blue": false, "green": true}},
		"the split":      {rollout.KillRequest{Level: splitter.KillCut}, map[string]bool{"blue": true, "green": true}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet := starts(t, s, 2, assistant(99, 1))
				elapse(time.Second)
				contexts := map[string]context.Context{}
				for variant := range tt.want {
					ctx, cancel := context.WithCancelCause(t.Context())
					contexts[variant] = ctx
					f := &health.Flight{Variant: variant, Start: time.Now(), Cancel: cancel}
					fleet[1].at.Split().Flights.Add(f)
				}
				if _, err := fleet[0].Kill(t.Context(), "assistant", tt.in, alice); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for variant, want := range tt.want {
					got := context.Cause(contexts[variant])
					if errors.Is(got, rollout.ErrKilled) != want || errors.Is(got, context.Canceled) != want {
						t.Errorf("%s: ended by %v, want it cut: %v", variant, got, want)
					}
				}
			})
		})
	}
}

// Revive writes what waits first, so that the kill's id is listed as lifted; without the store it is refused.
func TestReviveNeedsTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		p.link.set(away)
		p.kills(t, "green")
		_, err := p.Revive(t.Context(), "assistant", rollout.ReviveRequest{}, alice)
		if !errors.Is(err, rollout.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		p.link.set(none)
		r, err := p.Revive(t.Context(), "assistant", rollout.ReviveRequest{}, alice)
		if err != nil || len(r.State.Kills) != 0 || len(r.State.Revived) != 1 {
			t.Errorf("got %+v, %v, want the kill lifted", r.State, err)
		}
	})
}
