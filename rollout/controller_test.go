package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

func TestFirstStateIsCreatedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		var together sync.WaitGroup
		fleet := make([]*proxy, 5)
		for i := range fleet {
			fleet[i] = newProxy(t, s, fmt.Sprintf("proxy-%d", i+1), assistant(99, 1))
			together.Go(func() { fleet[i].mustStart(t) })
		}
		together.Wait()
		elapse(time.Second)
		for _, p := range fleet {
			p.wants(t, "at the start", 1, true)
		}
		if got, want := kinds(t, s), []string{"created"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

// Start waits for the first answer and no longer.
func TestStartDoesNotDawdle(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		begun := time.Now()
		p := start(t, s, "proxy-1", assistant(99, 1))
		if took := time.Since(begun); took > 0 {
			t.Errorf("with a store that answers at once: got %v, want nothing", took)
		}
		p.wants(t, "when Start returns", 1, true)

		hangs := newProxy(t, s, "proxy-2", assistant(99, 1))
		hangs.link.set(hung)
		begun = time.Now()
		hangs.mustStart(t)
		if took := time.Since(begun); took != 500*time.Millisecond {
			t.Errorf("with a store that hangs: got %v, want 500ms", took)
		}
	})
}

func TestChangeIsAppliedByAll(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, assistant(99, 1))
		elapse(time.Second)
		r := fleet[0].set(t, 10)
		conf, err := fleet[1].Confirm(t.Context(), "assistant", r.State.Version)
		want := []string{"proxy-1", "proxy-2", "proxy-3"}
		if err != nil || !cmp.Equal(conf.Applied, want) || len(conf.Missing) > 0 {
			t.Errorf("Confirm: got %+v, %v, want %v", conf, err, want)
		}
		for _, p := range fleet {
			p.wants(t, "confirmed", 10, true)
		}
	})
}

func TestConfirmNamesWhoIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(99, 1))
		elapse(time.Second)
		fleet[1].link.set(away)
		r := fleet[0].set(t, 10)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		conf, err := fleet[0].Confirm(ctx, "assistant", r.State.Version)
		if err != nil || !cmp.Equal(conf.Missing, []string{"proxy-2"}) || conf.Took != 2*time.Second {
			t.Errorf("got %+v, %v, want proxy-2 missing after 2s", conf, err)
		}
		if _, err := fleet[1].Confirm(ctx, "assistant", r.State.Version); !errors.Is(err, rollout.ErrUnavailable) ||
			strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("asked where the store is away: got %v, want ErrUnavailable, which says nothing of a change", err)
		}
		if _, err := fleet[0].Confirm(t.Context(), "nobody", r.State.Version); !errors.Is(err, rollout.ErrUnknownSplit) {
			t.Errorf("unknown split: got %v, want ErrUnknownSplit", err)
		}
	})
}

// A restarted instance does not leave its old self behind for people to wait for.
func TestConfirmPassesOverWhoWasReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(99, 1))
		fleet[1].link.set(away) // not even a goodbye
		elapse(6 * time.Second)
		start(t, s, "proxy-2", assistant(99, 1))
		elapse(time.Second)
		conf, err := fleet[0].Confirm(t.Context(), "assistant", fleet[0].set(t, 5).State.Version)
		if want := []string{"proxy-1", "proxy-2"}; err != nil || !cmp.Equal(conf.Applied, want) || conf.Took > time.Second {
			t.Errorf("got %+v, %v, want %v within a second", conf, err, want)
		}
	})
}

func TestPollAppliesWhatWasNotAnnounced(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(99, 1))
		elapse(time.Second)
		fleet[1].link.set(muted)
		fleet[0].set(t, 10)
		synctest.Wait()
		fleet[1].wants(t, "unannounced", 1, true)
		elapse(time.Second)
		fleet[1].wants(t, "a second later", 10, true)
	})
}

func TestWeightsAreRefusedWhileTheStoreIsAway(t *testing.T) {
	for name, f := range map[string]fault{"away": away, "hung": hung, "full": full} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", assistant(99, 1))
				elapse(time.Second)
				p.link.set(f)
				for isKnown := range 2 { // as it happens, and when it is known
					begun, sent := time.Now(), p.link.sent()
					r, err := p.tries(10)
					if took := time.Since(begun); !errors.Is(err, rollout.ErrUnavailable) || took > 2*time.Second {
						t.Errorf("got %+v, %v after %v, want ErrUnavailable within 2s", r, err, took)
					}
					// A store that hangs could carry it out after all.
					if isKnown == 1 && (p.link.sent() > sent || !strings.Contains(err.Error(), "nothing was changed")) {
						t.Errorf("got %v and %d changes sent, want nothing changed and none", err, p.link.sent()-sent)
					}
					elapse(3 * time.Second)
				}
				p.wants(t, "refused", 1, true)
				if st := p.status(t); st.StoreError == "" || st.StoreAge < 4*time.Second {
					t.Errorf("status: got %v, %q", st.StoreAge, st.StoreError)
				}
				p.link.set(none)
				elapse(2 * time.Second)
				p.wants(t, "back", 1, true)
				if st := p.status(t); st.StoreError != "" || st.StoreAge > time.Second {
					t.Errorf("status: got %v, %q", st.StoreAge, st.StoreError)
				}
				p.set(t, 10)
			})
		})
	}
}

// A change whose answer was lost must not be told as refused: it may have been written.
func TestLostAnswerIsNoRefusal(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		p.link.set(twisted)
		_, err := p.tries(10)
		if !errors.Is(err, rollout.ErrUnavailable) || strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("got %v, want ErrUnavailable, which does not say that nothing was changed", err)
		}
		elapse(2 * time.Second)
		p.wants(t, "written all the same", 10, true)
	})
}

func TestRefusedWhenSomebodyElseWasFaster(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(99, 1))
		elapse(time.Second)
		fleet[0].link.set(muted)
		saw := fleet[0].Split("assistant").State().Version
		fleet[1].set(t, 10)
		by := alice
		by.If = &saw
		w := rollout.WeightChange{Weights: map[string]splitter.Weight{"green": 20 * percent}}
		_, err := fleet[0].SetWeights(t.Context(), "assistant", w, by)
		if !errors.Is(err, rollout.ErrStale) || !strings.Contains(err.Error(), "you saw revision 1") {
			t.Errorf("got %v, want ErrStale with the revision seen", err)
		}
		by.If = nil
		if _, err := fleet[0].SetWeights(t.Context(), "assistant", w, by); err != nil {
			t.Errorf("whatever it is: %v", err)
		}
		synctest.Wait()
		fleet[1].wants(t, "in the end", 20, true)
	})
}

// Whoever listens may be slow; all that was applied is told, in order, Close included.
func TestEventsAreToldInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		var told []uint64
		p := start(t, s, "proxy-1", assistant(99, 1), func(o *rollout.Options) {
			o.OnEvent = func(_ store.Event, s *splitter.State) {
				time.Sleep(time.Second)
				told = append(told, s.Revision)
			}
		})
		other := start(t, s, "proxy-2", assistant(99, 1))
		elapse(time.Second)
		var want []uint64
		for i := range 20 {
			r := []*proxy{p, other}[i%2].set(t, splitter.Weight(i+2))
			want = append(want, r.State.Revision)
			synctest.Wait()
		}
		p.close(t)
		if !cmp.Equal(told, want) {
			t.Errorf("got %v, want %v", told, want)
		}
	})
}

// Everything at once, under the race detector: it must end, and end with one State.
func TestConcurrentUse(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, assistant(99, 1))
		var all sync.WaitGroup
		for i, p := range fleet {
			for what, call := range map[string]func(int){
				"set":    func(n int) { _, _ = p.tries(splitter.Weight(1 + (n+i)%50)) },
				"kill":   func(int) { p.kills(t, "green") },
				"revive": func(int) { _, _ = p.Revive(t.Context(), "assistant", rollout.ReviveRequest{}, alice) },
				"status": func(int) { p.status(t) },
				"attach": func(int) {
					at, err := p.Attach(assistant(99, 1), new(int))
					if err != nil {
						t.Errorf("Attach: %v", err)
						return
					}
					p.mustStart(t)
					p.Detach(at)
				},
				"see": func(int) { p.serves(); p.green(); p.Ready(); p.record(1, 1, health.Failure) },
			} {
				all.Go(func() {
					for n := range 20 {
						call(n)
						time.Sleep(time.Duration(len(what)+i) * 10 * time.Millisecond)
					}
				})
			}
		}
		all.Wait()
		elapse(2 * time.Second)
		want := stored(t, s)
		for _, p := range fleet {
			if got := p.Split("assistant").State(); encode(t, got) != encode(t, want) {
				t.Errorf("%s: got %s, want %s", p.opts.Instance, encode(t, got), encode(t, want))
			}
		}
	})
}

func TestControlsOfUnknownSplits(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		ctx := t.Context()
		_, status := p.Status(ctx, "nobody")
		_, weights := p.SetWeights(ctx, "nobody", rollout.WeightChange{}, alice)
		_, kill := p.Kill(ctx, "nobody", rollout.KillRequest{}, alice)
		_, revive := p.Revive(ctx, "nobody", rollout.ReviveRequest{}, alice)
		for name, err := range map[string]error{"Status": status, "SetWeights": weights, "Kill": kill} {
			if !errors.Is(err, rollout.ErrUnknownSplit) || !strings.Contains(err.Error(), `"nobody"; this instance runs ["assistant"]`) {
				t.Errorf("%s: got %v, want ErrUnknownSplit", name, err)
			}
		}
		_, events := p.Events(ctx, "nobody", 1)
		for name, err := range map[string]error{"Events": events, "Revive": revive} { // it may be a split that nobody runs any more
			if !errors.Is(err, rollout.ErrUnknownSplit) || !strings.Contains(err.Error(), `it has some of ["assistant"]`) {
				t.Errorf("%s: got %v, want ErrUnknownSplit", name, err)
			}
		}
	})
}

func TestBeforeStartAndAfterClose(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := newProxy(t, s, "proxy-1", assistant(99, 1))
		unavailable := func(when string) {
			if _, err := p.tries(10); !errors.Is(err, rollout.ErrUnavailable) {
				t.Errorf("%s: SetWeights: got %v, want ErrUnavailable", when, err)
			}
			if _, _, err := p.Instances(t.Context()); !errors.Is(err, rollout.ErrUnavailable) {
				t.Errorf("%s: Instances: got %v, want ErrUnavailable", when, err)
			}
			if _, err := p.Events(t.Context(), "assistant", 1); !errors.Is(err, rollout.ErrUnavailable) {
				t.Errorf("%s: Events: got %v, want ErrUnavailable", when, err)
			}
		}
		unavailable("before Start")
		p.mustStart(t)
		p.mustStart(t)
		if members, _, err := p.Instances(t.Context()); err != nil || len(members) != 1 {
			t.Errorf("Instances: got %v, %v, want one", members, err)
		}
		p.close(t)
		p.close(t)
		unavailable("after Close")
		pulse, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "looking", Boot: "1"}, ListMembers: true})
		if err != nil || len(pulse.Members) != 1 {
			t.Errorf("members after the goodbye: got %v, %v, want only who looks", pulse.Members, err)
		}
		p.mustStart(t)
		p.wants(t, "started again", 1, true)
	})
}

func TestOpenFails(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := newProxy(t, s, "proxy-1", assistant(99, 1), func(o *rollout.Options) {
			open := o.Open
			first := true
			o.Open = func() (store.Store, error) {
				if first {
					first = false
					return nil, errFault
				}
				return open()
			}
		})
		if err := p.Start(); !errors.Is(err, errFault) {
			t.Errorf("got %v, want %v", err, errFault)
		}
		p.mustStart(t)
		p.wants(t, "at the second try", 1, true)
	})
}
