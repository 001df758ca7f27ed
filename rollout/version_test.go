package rollout_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
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

// A proxy that is alone need not wait for anybody, unless it has just started: others may be about to.
func TestGoingBackAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		restart func(*testing.T, *embedded.Store, *proxy, rollout.Definition)
		within  time.Duration
	}{
		"reload": {func(t *testing.T, _ *embedded.Store, p *proxy, def rollout.Definition) { p.reload(t, def) }, 2 * time.Second},
		"restart": {func(t *testing.T, s *embedded.Store, p *proxy, def rollout.Definition) {
			p.close(t)
			start(t, s, "proxy-1", def)
		}, 62 * time.Second},
		"crash": {func(t *testing.T, s *embedded.Store, p *proxy, def rollout.Definition) {
			p.link.set(away)
			elapse(10 * time.Second)
			start(t, s, "proxy-1", def)
		}, 62 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", declaring(assistant(90, 10), "v1"))
				elapse(2 * time.Second)
				p.reload(t, declaring(assistant(90, 10), "v2"))
				elapse(2 * time.Minute)
				tt.restart(t, s, p, declaring(assistant(90, 10), "v1"))
				if tt.within > time.Minute {
					elapse(50 * time.Second)
					if got := versions(t, s); got != 1 {
						t.Errorf("after 50 s: got %d events of versions, want 1", got)
					}
				}
				elapse(tt.within)
				if got := stored(t, s); got.Declared["green"] != "v1" || versions(t, s) != 2 {
					t.Errorf("got %v, events %v; want v1 again", got.Declared, kinds(t, s))
				}
			})
		})
	}
}

// Where a whole fleet is restarted the outdated file does not win because its proxy is up first.
func TestRestartOfTheWholeFleet(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, fleet := upgraded(t, s)
		for _, p := range fleet {
			p.close(t)
		}
		start(t, s, "proxy-1", declaring(def, "v1"))
		elapse(20 * time.Second)
		start(t, s, "proxy-2", declaring(def, "v2"))
		elapse(5 * time.Minute)
		if got := stored(t, s); got.Declared["green"] != "v2" || versions(t, s) != 1 {
			t.Errorf("got %v, events %v; want v2 as before", got.Declared, kinds(t, s))
		}
	})
}

// A version that came into the State by a proxy that is gone goes again: what the rest of the fleet declares holds.
func TestVersionOfAProxyThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, _ := upgraded(t, s)
		odd := start(t, s, "proxy-3", declaring(def, "v0"))
		elapse(30 * time.Second)
		if got := stored(t, s); got.Declared["green"] != "v0" || versions(t, s) != 2 {
			t.Fatalf("got %v, events %v; want v0, which nobody had before", got.Declared, kinds(t, s))
		}
		odd.close(t)
		elapse(3 * time.Minute)
		if got := stored(t, s); got.Declared["green"] != "v2" || versions(t, s) != 3 {
			t.Errorf("got %v, events %v; want v2 again", got.Declared, kinds(t, s))
		}
	})
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

// both declares versions of blue and green.
func both(def rollout.Definition, blue, green string) rollout.Definition {
	def.Variants = slices.Clone(def.Variants)
	def.Variants[0].Version, def.Variants[1].Version = blue, green
	return def
}

// What a command does follows from the State and the fleet, and not from whose file it comes to.
func TestCommandsThroughAnOutdatedFile(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := rolling(planOf(50, 100))
		fleet := starts(t, s, 2, both(def, "b1", "g1"))
		serve(15, healthy, fleet...)
		if _, err := starting(t.Context(), fleet[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := promoting(rollout.PromoteRequest{Full: true})(t.Context(), fleet[0]); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute + 5*time.Second) // in the middle of ten seconds for which members are not listed anew
		fleet[0].reload(t, both(def, "b2", "g1"))
		elapse(time.Second)
		for i, p := range fleet {
			_, err := rollingBack(t.Context(), p)
			if want := `"blue" declares version "b2", and was stable with "b1"`; !errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("rollback through proxy-%d: got %v, want a refusal with %q", i+1, err, want)
			}
		}
		want := `proxy-2 declares version "b1" of blue and not "b2"`
		for name, try := range map[string]command{"start": starting, "switch": switching(rollout.SwitchRequest{To: "blue"})} {
			if _, err := try(t.Context(), fleet[0]); !errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want a refusal with %q", name, err, want)
			}
		}
		got, err := fleet[1].StartRollout(t.Context(), "assistant", rollout.StartRequest{Force: true}, alice)
		if err != nil || !strings.Contains(got.Note, want) || got.State.Declared["blue"] != "b2" {
			t.Errorf("forced through proxy-2: got %v, %q, %v, want b2 and a note with %q", got.State.Declared, got.Note, err, want)
		}
	})
}

// Stable's versions are followed as well: nothing begins again for them, and who has an outdated one is told of.
func TestVersionsOfStable(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := rolling(planOf(50, 100))
		fleet := starts(t, s, 2, both(def, "b1", "g1"))
		elapse(15 * time.Second)
		fleet[0].set(t, 10)
		epoch := stored(t, s).Epoch
		fleet[0].reload(t, both(def, "b2", "g1"))
		elapse(15 * time.Second)
		want := `proxy-2 declares version "b1" of blue and not "b2"`
		if got := fleet[0].status(t); !slices.Contains(got.Notes, want) {
			t.Errorf("notes: got %q, want %q", got.Notes, want)
		}
		if got, err := fleet[0].Why("assistant"); err != nil || !slices.Contains(got, "Not all serve the same: "+want+".") {
			t.Errorf("why: got %q, %v, want that not all serve the same", got, err)
		}
		elapse(3 * time.Minute)
		events, err := s.Events(t.Context(), "assistant", 20)
		if err != nil {
			t.Fatal(err)
		}
		drifted := slices.DeleteFunc(events, func(ev store.Event) bool { return ev.Kind != rollout.KindDrift })
		if says := `proxy-2 has an outdated file: it declares version "b1" of blue, and the state "b2"`; len(drifted) != 1 || drifted[0].Reason != says {
			t.Errorf("events of drift: got %+v, want one with %q", drifted, says)
		}
		fleet[0].reload(t, both(def, "b1", "g1"))
		elapse(2 * time.Minute)
		got := stored(t, s)
		if got.Declared["blue"] != "b1" || got.Epoch != epoch || versions(t, s) != 2 {
			t.Errorf("got %v in epoch %d, events %v; want b1 again in epoch %d", got.Declared, got.Epoch, kinds(t, s), epoch)
		}
	})
}

// A file that declares nothing takes no version from the State.
func TestFileWithoutVersions(t *testing.T) {
	s := must(t, created(t, assistant(90, 10)), redeclare(2, "v1"), redeclare(3, "v2"), adopt(4, assistant(99, 1), rollout.AdoptRequest{}))
	if want := (map[string]string{"green": "v2"}); !cmp.Equal(s.Declared, want) || !cmp.Equal(s.Superseded, map[string][]string{"green": {"v1"}}) {
		t.Errorf("got %v, superseded %v; want %v", s.Declared, s.Superseded, want)
	}
	failed := must(t, s, failback(5))
	if _, err := rollout.Start(failed, declaring(assistant(99, 1), "v1"), rollout.StartRequest{}, alice, later(60)); !errors.Is(err, rollout.ErrRefused) {
		t.Errorf("started after a failback, with a version from before it: got %v, want ErrRefused", err)
	}
	if _, err := rollout.Start(failed, declaring(assistant(99, 1), "v3"), rollout.StartRequest{}, alice, later(60)); err != nil {
		t.Errorf("started after a failback, with a new version: %v", err)
	}
	renamed := must(t, s, rename(6, "green", "lime"))
	if want := (map[string][]string{"lime": {"v1"}}); !cmp.Equal(renamed.Superseded, want) {
		t.Errorf("renamed: superseded %v, want %v", renamed.Superseded, want)
	}
	gone := must(t, s, adopt(6, declaring(renaming(assistant(99, 1), "lime"), ""), rollout.AdoptRequest{}))
	if len(gone.Declared) > 0 || len(gone.Superseded) > 0 {
		t.Errorf("without the variant: got %v, superseded %v; want none", gone.Declared, gone.Superseded)
	}
}

// The State remembers the latest versions only, and each once.
func TestSupersededVersions(t *testing.T) {
	s := must(t, created(t, assistant(90, 10)), redeclare(2, "v0"))
	for i := range 2 * splitter.KeptVersions {
		s = must(t, s, redeclare(i+3, fmt.Sprintf("v%d", i+1)))
	}
	s = must(t, s, redeclare(200, "v99"))
	got := s.Superseded["green"]
	if len(got) != splitter.KeptVersions || got[0] != "v50" || got[len(got)-1] != "v100" || slices.Contains(got, "v99") {
		t.Errorf("got %v, want v50 to v100 but for v99", got)
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

// deployment is what happens to a fleet's files: each step is of one proxy.
type deployment []struct {
	proxy   int
	what    string // load, restart, leave, lose the store or find it
	version string
	after   time.Duration // until the next step
}

func drawDeployment(t *rapid.T) deployment {
	d := make(deployment, rapid.IntRange(3, 8).Draw(t, "steps"))
	for i := range d {
		d[i].proxy = rapid.IntRange(0, 2).Draw(t, "proxy")
		d[i].what = rapid.SampledFrom([]string{"load", "load", "restart", "leave", "lose", "find"}).Draw(t, "what")
		d[i].version = rapid.SampledFrom([]string{"v1", "v2", "v3"}).Draw(t, "version")
		d[i].after = rapid.SampledFrom([]time.Duration{0, 500 * time.Millisecond, 3 * time.Second, 20 * time.Second, 70 * time.Second}).Draw(t, "after")
	}
	return d
}

// play lets it happen, and returns who lives in the end with which version.
func (d deployment) play(t *testing.T, s *embedded.Store) (files map[string]string) {
	files = map[string]string{}
	fleet := make([]*proxy, 3)
	for _, step := range d {
		name, p, def := fmt.Sprintf("proxy-%d", step.proxy+1), fleet[step.proxy], declaring(assistant(90, 10), step.version)
		switch {
		case p == nil && step.what != "leave" || p != nil && step.what == "restart":
			if p != nil {
				p.close(t)
			}
			fleet[step.proxy], files[name] = start(t, s, name, def), step.version
		case p == nil:
		case step.what == "load":
			p.reload(t, def)
			files[name] = step.version
		case step.what == "leave":
			p.link.set(none) // else it is waited for, as it may still serve
			p.close(t)
			fleet[step.proxy] = nil
			delete(files, name)
		case step.what == "lose":
			p.link.set(away)
		case step.what == "find":
			p.link.set(none)
		}
		elapse(step.after)
	}
	for _, p := range fleet {
		if p != nil {
			p.link.set(none)
		}
	}
	return files
}

// Whatever is loaded, restarted and cut off in whatever order: the fleet comes to one version that somebody declares, and
// stays with it. Nobody takes turns. Six deployments are drawn, as each takes half a second.
func TestVersionsSettle(t *testing.T) {
	first := int(time.Now().UnixNano() % 1_000_000_000)
	for seed := first; seed < first+6; seed++ {
		d := rapid.Custom(drawDeployment).Example(seed)
		bubble(t, func(t *testing.T, s *embedded.Store) {
			files := d.play(t, s)
			if len(files) == 0 {
				return
			}
			elapse(3 * time.Minute)
			n := versions(t, s)
			elapse(3 * time.Minute)
			got := stored(t, s)
			if !slices.Contains(slices.Collect(maps.Values(files)), got.Declared["green"]) || versions(t, s) != n || n > 2*len(d) {
				t.Errorf("seed %d, %+v: files %v, the state has %v, by %d events and then %d, %v", seed, d, files, got.Declared, n,
					versions(t, s), kinds(t, s))
			}
		})
	}
}
