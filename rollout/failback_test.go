package rollout_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// Neither instance has min_requests (20) alone; both see the sum, and one of them writes.
func TestFailbackByMergedEvidence(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(90, 10))
		elapse(time.Second)
		fleet[0].fails(12)
		elapse(3 * time.Second)
		fleet[0].wants(t, "with half of the evidence", 10, true)
		fleet[1].fails(12)
		elapse(3 * time.Second)
		for _, p := range fleet {
			p.wants(t, "with all of it", 0, true)
			if got := p.Split("assistant").Failbacks(); got != 1 {
				t.Errorf("%s: got %d failbacks, want 1", p.opts.Instance, got)
			}
		}
		if got, want := kinds(t, s), []string{"created", "failback"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		state := stored(t, s)
		if state.Progress.Phase != failedBack || !strings.Contains(state.Progress.Why, "canary 100% of 2") {
			t.Errorf("progress: got %+v, want failed back for all of 20 or more", state.Progress)
		}
		events, err := s.Events(t.Context(), "assistant", 1)
		if err != nil {
			t.Fatal(err)
		}
		var v health.Verdict
		if err := json.Unmarshal(events[0].Evidence, &v); err != nil || v.Result != health.Fail || v.Streams[0].Canary != (health.Rate{N: 24, K: 24}) {
			t.Errorf("event: got %s, %v, want a verdict on all 24 requests", events[0].Evidence, err)
		}
	})
}

// What a frame of a newer release means is not known here: it counts for nothing.
func TestFramesOfANewerReleaseDoNotCount(t *testing.T) {
	for name, tt := range map[string]struct {
		schema, want int
	}{"this one's": {1, 2}, "before it was written": {0, 2}, "newer": {2, 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", assistant(90, 10))
				elapse(2 * time.Second)
				other := store.MemberID{Name: "proxy-2", Boot: "b"}
				frame := fmt.Sprintf(`{"schema": %d, "limits": %s, "evidence": {}}`, tt.schema, encode(t, health.DefaultLimits()))
				shown := []store.Frame{{Split: "assistant", Epoch: 1, Window: []byte(frame)}}
				if _, err := s.PutFrames(t.Context(), other, shown); err != nil {
					t.Fatal(err)
				}
				elapse(1500 * time.Millisecond)
				if got := p.status(t).ShownInstances; got != tt.want {
					t.Errorf("shown instances: got %d, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestFailbackIsWrittenOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 5, assistant(0, 100))
		elapse(time.Second)
		for _, p := range fleet {
			p.fails(50)
		}
		elapse(3 * time.Second)
		for _, p := range fleet {
			p.wants(t, "failed back", 0, true)
		}
		if got, want := kinds(t, s), []string{"created", "failback"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		elapse(time.Minute)
		if _, err := fleet[0].tries(10); err == nil || !strings.Contains(err.Error(), "in cooldown") {
			t.Errorf("raising in cooldown: got %v, want ErrCooldown", err)
		}
	})
}

func TestFailbackWhileTheStoreIsAway(t *testing.T) {
	for name, f := range map[string]fault{"away": away, "hung": hung, "full": full} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet := starts(t, s, 2, assistant(90, 10))
				elapse(time.Second)
				p := fleet[0]
				seen := p.Split("assistant").State().Version
				p.link.set(f)
				p.fails(50)
				elapse(4 * time.Second)
				p.wants(t, "alone", 0, true)
				fleet[1].wants(t, "elsewhere", 10, true)
				p.whyIs(t, "alone", "failed back to blue")
				if st := p.status(t); !strings.Contains(strings.Join(st.Notes, "\n"), "failed back on this instance only") ||
					st.State.Version != seen || st.State.Progress.Phase != failedBack {
					t.Errorf("status: got %v, %v, %q, want the store's version, failed back, and a note", st.State.Version,
						st.State.Progress.Phase, st.Notes)
				}
				p.link.set(none)
				elapse(2 * time.Second)
				fleet[1].wants(t, "proposed", 0, true)
				if got, want := stored(t, s).Changed.Reason, "; proxy-1 made it at 2000-01-01 00:00:"; !strings.Contains(got, want) ||
					!strings.HasSuffix(got, " UTC, while the store was away") {
					t.Errorf("reason: got %q, want when and where it was made", got)
				}
				if got, want := kinds(t, s), []string{"created", "failback"}; !cmp.Equal(got, want) {
					t.Errorf("events: got %v, want %v", got, want)
				}
			})
		})
	}
}

func TestLocalFailbackEndsWithItsEpoch(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(90, 10))
		elapse(time.Second)
		p := fleet[0]
		p.link.set(away)
		p.fails(50)
		elapse(4 * time.Second)
		p.wants(t, "alone", 0, true)
		fleet[1].set(t, 0)
		fleet[1].set(t, 20)
		p.link.set(none)
		elapse(3 * time.Second)
		for _, p := range fleet {
			p.wants(t, "in the new epoch", 20, true)
		}
		if got, want := kinds(t, s), []string{"created", "weights", "weights"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

// A higher weight of the same epoch does not lift a failback that holds here.
func TestLocalFailbackOutlivesAnotherWeight(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(90, 10))
		elapse(time.Second)
		p := fleet[0]
		p.link.set(full) // announcements arrive
		p.fails(50)
		elapse(4 * time.Second)
		k := fleet[1].kills(t, "green").Event.Kills[0]
		fleet[1].set(t, 50)
		elapse(time.Second)
		p.wants(t, "raised elsewhere", 0, true)
		if got := p.Split("assistant").State(); len(got.Kills) != 1 || got.Kills[0].ID != k.ID || got.Revision != 3 {
			t.Errorf("got %v at revision %d, want kill %s at 3", got.Kills, got.Revision, k.ID)
		}
	})
}

// A store that hangs must not keep one split's judgement from another's.
func TestJudgesEverySplitInTime(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(90, 10))
		var others []*rollout.Attachment
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			def := assistant(90, 10)
			def.Name = name
			at, err := p.Attach(def, "first")
			if err != nil {
				t.Fatal(err)
			}
			others = append(others, at)
		}
		p.mustStart(t)
		elapse(2 * time.Second)
		p.fails(50)
		for _, at := range others {
			(&proxy{at: at}).fails(50)
		}
		p.link.set(hung)
		elapse(4 * time.Second)
		for _, at := range others {
			if got := at.View().State.Weights()["green"]; got != 0 {
				t.Errorf("%s: got green at %v, want 0%%", at.Definition().Name, got)
			}
		}
	})
}

func TestNothingIsJudged(t *testing.T) {
	off := assistant(90, 10)
	off.Policy.Failback = nil
	for name, def := range map[string]rollout.Definition{"failback off": off, "no trial": assistant(100, 0)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", def)
				elapse(time.Second)
				p.fails(50)
				elapse(3 * time.Second)
				if st := p.status(t); st.Verdict != nil || st.Variants[1].Summary.Failures != 48 {
					t.Errorf("got verdict %v on %+v, want none, and the evidence shown", st.Verdict, st.Variants[1].Summary)
				}
				if got, want := kinds(t, s), []string{"created"}; !cmp.Equal(got, want) {
					t.Errorf("events: got %v, want %v", got, want)
				}
			})
		})
	}
}

// An outcome counts only for the epoch it was decided in.
func TestLateOutcomesAreNoEvidence(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(90, 10))
		elapse(time.Second)
		old := p.at.View()
		p.set(t, 0)
		p.set(t, 10)
		elapse(time.Second)
		for range 50 {
			record(old.Windows[0], health.Outcome{Class: health.Success})
			record(old.Windows[1], health.Outcome{Class: health.Failure, Cause: health.CauseStatus})
		}
		elapse(3 * time.Second)
		p.wants(t, "in the new epoch", 10, true)
		if got := old.Epoch(); got == p.at.View().Epoch() {
			t.Errorf("epoch: got %d before and after", got)
		}
		var failures uint64
		p.Split("assistant").Totals(func(variant string, totals *health.Totals) {
			if variant == "green" {
				counts := totals.Snapshot().Counts
				counts.Each(func(class health.Class, _ health.Cause, n uint64) {
					if class == health.Failure {
						failures += n
					}
				})
			}
		})
		if failures != 50 {
			t.Errorf("totals: got %d failures, want 50: they count all the same", failures)
		}
	})
}

// A stable that fails moves nobody to the canary.
func TestFailingStableMovesNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(50, 50))
		elapse(time.Second)
		p.record(0, 100, health.Failure)
		p.record(1, 100, health.Success)
		elapse(5 * time.Second)
		p.wants(t, "with a failing stable", 50, true)
	})
}
