package rollout_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

func TestTwinsAreFlagged(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		one, two := start(t, s, "proxy-1", assistant(99, 1)), start(t, s, "proxy-1", assistant(99, 1))
		elapse(3 * time.Second)
		if notes := strings.Join(two.status(t).Notes, "\n"); !strings.Contains(notes, `another living proxy is called "proxy-1"`) {
			t.Errorf("notes after 3 s: got %q, want the twin named", notes)
		}
		elapse(9 * time.Second)
		for _, p := range []*proxy{one, two} {
			if notes := strings.Join(p.status(t).Notes, "\n"); !strings.Contains(notes, `another living proxy is called "proxy-1"`) {
				t.Errorf("notes: got %q, want the twin named", notes)
			}
		}
		conf := confirmed(t, one, one.set(t, 10), 2)
		if conf.Applied[0] == conf.Applied[1] {
			t.Errorf("applied: got %v, want them told apart", conf.Applied)
		}
		two.close(t)
		elapse(11 * time.Second)
		if notes := one.status(t).Notes; len(notes) > 1 {
			t.Errorf("notes: got %q, want no twin any more", notes)
		}
	})
}

// Looking at the fleet often makes no twin come and go.
func TestTwinsStayFlagged(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		core, logs := observer.New(zap.ErrorLevel)
		one := start(t, s, "proxy-1", assistant(99, 1), func(o *rollout.Options) { o.Log = zap.New(core) })
		start(t, s, "proxy-1", assistant(99, 1))
		elapse(21 * time.Second)
		for range 100 {
			if _, _, err := one.Instances(t.Context()); err != nil {
				t.Fatal(err)
			}
			elapse(100 * time.Millisecond)
			if notes := strings.Join(one.status(t).Notes, "\n"); !strings.Contains(notes, "another living proxy") {
				t.Fatalf("notes: got %q, want the twin named", notes)
			}
		}
		if got := logs.FilterMessageSnippet("this one's name").Len(); got != 1 {
			t.Errorf("logged: got %d lines, want 1: %v", got, logs.All())
		}
	})
}

// A silent member whose namesake started while it was heard is a twin that is cut off, and may still serve. One whose
// namesake started later was restarted.
func TestTwinThatIsCutOffIsMissed(t *testing.T) {
	for name, tt := range map[string]struct {
		after   time.Duration // from the silent one's last beat until its namesake starts; negative: before
		missing int
	}{
		"lived side by side": {-3 * time.Second, 1},
		"restarted":          {3 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", assistant(99, 1))
				beat := func(boot string, started time.Time) {
					_, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "proxy-2", Boot: boot}, Started: started,
						Applied: map[string]splitter.Version{"assistant": p.Split("assistant").State().Version}})
					if err != nil {
						t.Fatal(err)
					}
				}
				elapse(time.Minute)
				beat("silent", time.Now().Add(-time.Minute))
				started := time.Now().Add(tt.after)
				elapse(10 * time.Second)
				r := p.set(t, 10)
				beat("living", started)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if conf, err := p.Confirm(ctx, "assistant", r.State.Version); err != nil || len(conf.Missing) != tt.missing {
					t.Errorf("got %+v, %v, want %d to miss", conf, err, tt.missing)
				}
			})
		})
	}
}

func TestForgetInstance(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		gone := store.MemberID{Name: "proxy-2", Boot: "b"}
		_, err := s.Pulse(t.Context(), store.Beat{MemberID: gone, Applied: map[string]splitter.Version{"assistant": {}}})
		if err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		if _, err := p.ForgetInstance(t.Context(), "proxy-2"); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("alive: got %v, want ErrRefused", err)
		}
		elapse(store.SilentAfter)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if conf, err := p.Confirm(ctx, "assistant", p.set(t, 10).State.Version); err != nil || !cmp.Equal(conf.Missing, []string{"proxy-2"}) {
			t.Errorf("Confirm: got %+v, %v, want proxy-2 to miss", conf, err)
		}
		if got, err := p.ForgetInstance(t.Context(), "proxy-2"); err != nil || !cmp.Equal(got, []store.MemberID{gone}) {
			t.Errorf("silent: got %v, %v, want %v", got, err, gone)
		}
		if _, err := p.ForgetInstance(t.Context(), "proxy-2"); !errors.Is(err, rollout.ErrUnknownInstance) {
			t.Errorf("forgotten: got %v, want ErrUnknownInstance", err)
		}
		confirmed(t, p, p.set(t, 11), 1)
	})
}

// A proxy that was killed hard and has been replaced is not listed again when its replacement says goodbye.
func TestGoodbyeTakesEarlierRunsAlong(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		_, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "proxy-2", Boot: "killed"}})
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(store.SilentAfter)
		start(t, s, "proxy-2", assistant(99, 1)).close(t)
		members, _, err := p.Instances(t.Context())
		if err != nil || len(members) != 1 {
			t.Errorf("got %v, %v, want proxy-1 alone", members, err)
		}
	})
}

// A greater revision of a history that knows nothing of a change does not count as having applied it.
func TestDeadHistoryIsNotApplied(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		dead := store.Beat{MemberID: store.MemberID{Name: "proxy-2", Boot: "b"},
			Applied: map[string]splitter.Version{"assistant": {Revision: 99, ID: "dead"}}}
		if _, err := s.Pulse(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		conf, err := p.Confirm(ctx, "assistant", p.set(t, 10).State.Version)
		if err != nil || !cmp.Equal(conf.Missing, []string{"proxy-2"}) {
			t.Errorf("got %+v, %v, want proxy-2 to miss", conf, err)
		}
	})
}

// Who could not be told of a queued kill is named from when the store was last heard.
func TestQueuedKillNamesTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, assistant(99, 1))
		elapse(11 * time.Second)
		fleet[0].link.set(away)
		if r := fleet[0].kills(t, ""); !r.Queued || !cmp.Equal(r.Untold, []string{"proxy-2", "proxy-3"}) {
			t.Errorf("got queued %v, untold %v, want both others", r.Queued, r.Untold)
		}
	})
}

// A failback that no store knows outlives a restart.
func TestLocalFailbackOutlivesARestart(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(75, 25))
		elapse(2 * time.Second)
		p.link.set(away)
		elapse(2 * time.Second)
		p.fails(100)
		elapse(3 * time.Second)
		p.wants(t, "failed back here", 0, true)
		p.close(t)
		again := newProxy(t, s, "proxy-1", assistant(75, 25), remembering(p))
		again.wants(t, "restarted", 0, true)
		again.mustStart(t)
		elapse(3 * time.Second)
		if got := stored(t, s); got.Changed.Kind != rollout.KindFailback || got.Changed.Reason == "" {
			t.Errorf("got %v, want it written as a failback", got.Changed)
		}
	})
}
