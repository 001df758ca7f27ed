package rollout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

func TestBootingBlind(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := newProxy(t, s, "proxy-1", assistant(50, 50))
		p.link.set(away)
		p.mustStart(t)
		elapse(4 * time.Second)
		d := p.at.View().Table.Decide(splitter.Request{Key: "somebody"})
		st := p.status(t)
		if d.Variant != 0 || d.Reason != splitter.ReasonStatic || p.Ready() || st.Ready || st.StoreAge >= 0 {
			t.Errorf("blind: got %+v, ready %v, store age %v, want stable, not ready, never", d, p.Ready(), st.StoreAge)
		}
		if want := `no state is known yet: "blue"`; len(st.Notes) != 1 || !strings.Contains(st.Notes[0], want) {
			t.Errorf("notes: got %q, want %q", st.Notes, want)
		}
		elapse(2 * time.Second)
		if !p.Ready() || !p.status(t).Ready {
			t.Error("after boot_wait: got not ready")
		}
		p.link.set(none)
		elapse(2 * time.Second)
		p.wants(t, "the store is there", 50, true)
	})
}

func TestOnStale(t *testing.T) {
	stable := func(o *rollout.Options) { o.StableWhenStale, o.MaxStale = true, time.Minute }
	for name, tt := range map[string]struct {
		in      splitter.Weight // green's
		options func(*rollout.Options)
		restart bool
		want    int
	}{
		"keep":                        {10, func(*rollout.Options) {}, false, 10},
		"stable":                      {10, stable, false, 0},
		"a half":                      {50, stable, false, 0},
		"more than a half":            {51, stable, false, 51},
		"restarted without the store": {10, stable, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", assistant(100-tt.in, tt.in), tt.options)
				elapse(time.Second)
				if tt.restart {
					p.close(t)
					p = newProxy(t, s, "proxy-1", assistant(100-tt.in, tt.in), tt.options, remembering(p))
					p.link.set(away)
					p.mustStart(t)
				}
				p.link.set(away)
				elapse(59 * time.Second)
				p.wants(t, "in time", int(tt.in), true)
				elapse(3 * time.Second)
				p.wants(t, "stale", tt.want, true)
				if isTold := strings.Contains(strings.Join(p.status(t).Notes, "\n"), "on_stale stable"); isTold != (tt.want == 0 || tt.in == 51) {
					t.Errorf("notes: got %q", p.status(t).Notes)
				}
				p.link.set(none)
				elapse(2 * time.Second)
				p.wants(t, "back", int(tt.in), true)
			})
		})
	}
}

func TestStatus(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		three := assistant(80, 10)
		three.Variants = append(three.Variants, rollout.Variant{Name: "red", Weight: 10 * percent})
		fleet := []*proxy{start(t, s, "proxy-1", three), start(t, s, "proxy-2", assistant(70, 30))}
		elapse(time.Second)
		fleet[0].record(0, 3, health.Success)
		fleet[0].record(1, 3, health.Failure)
		fleet[1].record(0, 4, health.Success)
		fleet[1].record(1, 4, health.Failure)
		fleet[0].kills(t, "red")
		elapse(8 * time.Second)
		st := fleet[1].status(t)
		if st.JudgedInstances != 2 || st.Verdict == nil || st.Verdict.Result != health.Inconclusive || !st.Ready || st.StoreError != "" {
			t.Errorf("got %d instances, verdict %+v, ready %v, %q", st.JudgedInstances, st.Verdict, st.Ready, st.StoreError)
		}
		for i := range st.Variants {
			if n := st.Variants[i].Summary.Requests; n != 7 && i < 2 {
				t.Errorf("%s: got %d requests, want the fleet's 7", st.Variants[i].Name, n)
			}
			st.Variants[i].Summary = health.Summary{}
		}
		want := []rollout.VariantStatus{
			{Name: "blue", Role: "stable", Weight: 80 * percent, FileSays: 70 * percent, Known: true},
			{Name: "green", Role: "canary", Weight: 10 * percent, FileSays: 30 * percent, Known: true},
			{Name: "red", Weight: 10 * percent, Killed: true},
		}
		if diff := cmp.Diff(want, st.Variants); diff != "" {
			t.Errorf("variants: got %+v (-want +got):\n%s", st.Variants, diff)
		}
		wantNotes := []string{
			"the file says green 30%, the store 10%: the store counts; `split weight assistant --from-file` takes the file's",
			`the state gives 10% to "red", which is not in this file: stable serves it here`,
		}
		if diff := cmp.Diff(wantNotes, st.Notes); diff != "" {
			t.Errorf("notes: got %q (-want +got):\n%s", st.Notes, diff)
		}
	})
}

// A store that lost the fleet's secret gets it again; where another one was faster, both count.
func TestLostSecretIsGivenBack(t *testing.T) {
	for name, other := range map[string]string{"nobody was faster": "", "another was faster": "made up by another"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", assistant(99, 1))
				elapse(time.Second)
				before := p.Secrets()
				empty := newStore(t)
				want := before
				if other != "" {
					if _, err := empty.Secret(t.Context(), other); err != nil {
						t.Fatal(err)
					}
					want = append([]string{other}, before...)
				}
				p.link.set(away)
				elapse(2 * time.Second)
				p.link.replace(empty)
				p.link.set(none)
				elapse(2 * time.Second)
				if got := p.Secrets(); !cmp.Equal(got, want) {
					t.Errorf("secrets: got %q, want %q", got, want)
				}
				if got, err := empty.Secret(t.Context(), "too late"); err != nil || got != want[0] {
					t.Errorf("the store's: got %q, %v, want %q", got, err, want[0])
				}
			})
		})
	}
}

// To lift kills needs the store, for one that waits as well: nothing is sent, and that is what is said.
func TestReviveWithoutTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		p.link.set(away)
		p.kills(t, "")
		_, err := p.Revive(t.Context(), "assistant", rollout.ReviveRequest{}, alice)
		if !errors.Is(err, rollout.ErrUnavailable) || errors.Is(err, rollout.ErrUnconfirmed) || !strings.Contains(err.Error(), "nothing was lifted") {
			t.Errorf("got %v, want ErrUnavailable alone", err)
		}
	})
}
