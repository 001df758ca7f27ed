package rollout_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// versions counts the events of newly declared versions.
func versions(t *testing.T, s *embedded.Store) (n int) {
	t.Helper()
	for _, kind := range kinds(t, s) {
		if kind == rollout.KindVersion {
			n++
		}
	}
	return n
}

// upgraded is a fleet of two whose canary went from v1 to v2, and the file that has v2.
func upgraded(t *testing.T, s *embedded.Store) (def rollout.Definition, fleet []*proxy) {
	t.Helper()
	plan := planOf(50, 100)
	plan.Watch = health.Duration(time.Hour)
	def = rolling(plan)
	fleet = starts(t, s, 2, declaring(def, "v1"))
	serve(15, healthy, fleet...)
	for _, p := range fleet {
		p.reload(t, declaring(def, "v2"))
	}
	elapse(2 * time.Second)
	if got := stored(t, s); got.Declared["green"] != "v2" || !cmp.Equal(got.Superseded["green"], []string{"v1"}) {
		t.Fatalf("got %v, superseded %v; want v2 in place of v1", got.Declared, got.Superseded)
	}
	return def, fleet
}

// One proxy that starts with an older file throws nobody's rollout back: it holds the next step, and is named.
func TestOutdatedFileChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, fleet := upgraded(t, s)
		begins(t, s, declaring(def, "v2"))
		began := stored(t, s)
		late := start(t, s, "proxy-3", declaring(def, "v1"))
		fleet = append(fleet, late)
		serve(120, healthy, fleet...)
		if now := stored(t, s); now.Epoch != began.Epoch || now.Progress.Step != 1 || now.Declared["green"] != "v2" || versions(t, s) != 1 {
			t.Errorf("got epoch %d, step %d, %v, events %v; want nothing changed", now.Epoch, now.Progress.Step, now.Declared, kinds(t, s))
		}
		want := `proxy-3 declares version "v1" of green and not "v2"`
		if got := fleet[0].said(t, rollout.WaitMembers); !cmp.Equal(got, []string{want}) {
			t.Errorf("waits for %q, want %q", got, want)
		}
		note := `this file declares version "v1" of green, which the state has left for "v2"`
		if got := late.status(t).Notes; !slices.ContainsFunc(got, func(n string) bool { return strings.HasPrefix(n, note) }) {
			t.Errorf("notes: got %q, want one that begins with %q", got, note)
		}
		_, err := promoting(rollout.PromoteRequest{})(t.Context(), fleet[0])
		if !errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("promote: got %v, want a refusal with %q", err, want)
		}
		late.reload(t, declaring(def, "v2"))
		within(t, 30, "step 2", healthy, func() bool { return atStep(t, s) == 2 }, fleet...)
		if got := versions(t, s); got != 1 {
			t.Errorf("events of versions: got %d, want 1", got)
		}
	})
}

// Somebody who wants the older version again gets it once no other member has the newer one.
func TestGoingBackToAnOlderVersion(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, fleet := upgraded(t, s)
		fleet[0].reload(t, declaring(def, "v1"))
		elapse(5 * time.Minute)
		if got := versions(t, s); got != 1 {
			t.Errorf("with one of two files: got %d events of versions, want 1", got)
		}
		fleet[1].reload(t, declaring(def, "v1"))
		elapse(2 * time.Minute)
		if got := stored(t, s); got.Declared["green"] != "v1" || !cmp.Equal(got.Superseded["green"], []string{"v2"}) || versions(t, s) != 2 {
			t.Errorf("with both: got %v, superseded %v, events %v; want v1 again, once", got.Declared, got.Superseded, kinds(t, s))
		}
	})
}

// A proxy that is alone need not wait for anybody, also when it was restarted without a goodbye.
func TestGoingBackAlone(t *testing.T) {
	for name, restart := range map[string]func(*testing.T, *embedded.Store, *proxy, rollout.Definition){
		"reload": func(t *testing.T, _ *embedded.Store, p *proxy, def rollout.Definition) { p.reload(t, def) },
		"restart": func(t *testing.T, s *embedded.Store, p *proxy, def rollout.Definition) {
			p.close(t)
			start(t, s, "proxy-1", def)
		},
		"crash": func(t *testing.T, s *embedded.Store, p *proxy, def rollout.Definition) {
			p.link.set(away)
			elapse(10 * time.Second)
			start(t, s, "proxy-1", def)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", declaring(assistant(90, 10), "v1"))
				elapse(2 * time.Second)
				p.reload(t, declaring(assistant(90, 10), "v2"))
				elapse(2 * time.Second)
				restart(t, s, p, declaring(assistant(90, 10), "v1"))
				elapse(2 * time.Second)
				if got := stored(t, s); got.Declared["green"] != "v1" || versions(t, s) != 2 {
					t.Errorf("got %v, events %v; want v1 again at once", got.Declared, kinds(t, s))
				}
			})
		})
	}
}

// While the only proxy with the newer file is restarted, one with the older does not take over.
func TestRestartOfTheNewerFile(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, fleet := upgraded(t, s)
		fleet[0].reload(t, declaring(def, "v1"))
		elapse(30 * time.Second)
		fleet[1].close(t)
		elapse(40 * time.Second)
		start(t, s, "proxy-2", declaring(def, "v2"))
		elapse(5 * time.Minute)
		if got := stored(t, s); got.Declared["green"] != "v2" || versions(t, s) != 1 {
			t.Errorf("got %v, events %v; want v2 as before", got.Declared, kinds(t, s))
		}
	})
}

// A change that an instance with an outdated file makes keeps the State's version, and is none of the older one.
func TestChangesByAnOutdatedFile(t *testing.T) {
	outdated := declaring(assistant(99, 1), "v1")
	s := must(t, created(t, assistant(90, 10)), redeclare(2, "v1"), redeclare(3, "v2"))
	adopted := must(t, s, adopt(4, outdated, rollout.AdoptRequest{}))
	if want := (map[string]string{"green": "v2"}); !cmp.Equal(adopted.Declared, want) ||
		!cmp.Equal(adopted.Superseded, map[string][]string{"green": {"v1"}}) {
		t.Errorf("adopted: got %v, superseded %v; want %v", adopted.Declared, adopted.Superseded, want)
	}
	failed := must(t, s, failback(4))
	if _, err := rollout.Start(failed, outdated, rollout.StartRequest{}, alice, later(60)); !errors.Is(err, rollout.ErrRefused) {
		t.Errorf("started after a failback, with a version from before it: got %v, want ErrRefused", err)
	}
	if _, err := rollout.Start(failed, declaring(assistant(99, 1), "v3"), rollout.StartRequest{}, alice, later(60)); err != nil {
		t.Errorf("started after a failback, with a new version: %v", err)
	}
	renamed := must(t, s, rename(4, "green", "lime"))
	if want := (map[string][]string{"lime": {"v1"}}); !cmp.Equal(renamed.Superseded, want) {
		t.Errorf("renamed: superseded %v, want %v", renamed.Superseded, want)
	}
}

// The State remembers the latest versions only, and each once.
func TestSupersededVersions(t *testing.T) {
	s := must(t, created(t, assistant(90, 10)), redeclare(2, "v0"))
	for i := range 2 * splitter.KeptVersions {
		s = must(t, s, redeclare(i+3, fmt.Sprintf("v%d", i+1)))
	}
	s = must(t, s, redeclare(60, "v19"))
	want := []string{"v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v20"}
	if got := s.Superseded["green"]; !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whoever rolls out again by a file from before a promotion is told that this goes back to what was replaced.
func TestFileFromBeforeAPromotion(t *testing.T) {
	for name, tt := range map[string]struct{ was, is, says string }{
		"another build":    {"v1", "v3", ""},
		"the same build":   {"v1", "v1", `blue was stable until green replaced it at 2000-01-01 00:00:15 UTC, and declares version "v1" as then; ` + "`rollback` goes back at once"},
		"no build is told": {"", "", "blue was stable until green replaced it at 2000-01-01 00:00:15 UTC; it declares no `version` by which a new build could be told"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				declares := func(version string) rollout.Definition {
					def := rolling(planOf(50, 100))
					def.Variants = slices.Clone(def.Variants)
					def.Variants[0].Version, def.Variants[1].Version = version, "v2"
					return def
				}
				p := start(t, s, "proxy-1", declares(tt.was))
				serve(15, healthy, p)
				begins(t, s, declares(tt.was))
				if _, err := promoting(rollout.PromoteRequest{Full: true})(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				elapse(time.Second)
				p.reload(t, declares(tt.is))
				elapse(time.Second)
				says := "the file says stable \"blue\" and canary \"green\", the state the other way round: the state counts; " +
					"write `stable green` and `canary blue` into the file, and reload"
				if got := p.status(t).Notes; !slices.Contains(got, says) {
					t.Errorf("notes: got %q, want %q", got, says)
				}
				items, _ := p.preflights(t)
				if got, want := items["canary"], "warning: "+tt.says; tt.says != "" && got != want {
					t.Errorf("preflight: got %q, want %q", got, want)
				}
				got, err := starting(t.Context(), p)
				if err != nil || !strings.Contains(got.Note, tt.says) || tt.says == "" && strings.Contains(got.Note, "was stable") {
					t.Errorf("start: got %q, %v, want %q", got.Note, err, tt.says)
				}
			})
		})
	}
}
