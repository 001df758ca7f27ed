package rollout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// complete is a split with all that a preflight looks for.
func complete() rollout.Definition {
	def := assistant(100, 0)
	settings, plan := health.DefaultSettings(), rollout.DefaultPlan()
	def.Policy.Judge, def.Plan, def.Contact, def.DrillEvery = &settings, &plan, "on-call: 112", health.Duration(24*time.Hour)
	return def
}

// scraped says that metrics were read so long ago.
func scraped(ago time.Duration) func(*rollout.Options) {
	return func(o *rollout.Options) { o.Scraped = func() time.Time { return time.Now().Add(-ago) } }
}

// pager is a target of alerts that answers a test after so long.
func pager(name string, err error, after time.Duration) rollout.Target {
	return rollout.Target{Name: name, Wants: func(store.Event) bool { return false },
		Send: func(context.Context, store.Event) error { return nil },
		Test: func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(after):
				return err
			}
		}}
}

// preflights returns what a preflight says, by item: "result: text".
func (p *proxy) preflights(t testing.TB) (items map[string]string, ok bool) {
	t.Helper()
	r, err := p.Preflight(context.Background(), "assistant")
	if err != nil {
		t.Fatalf("Preflight: %v", err)
	}
	items = map[string]string{}
	for _, i := range r.Items {
		items[i.Name] = string(i.Result) + ": " + i.Text
	}
	return items, r.OK()
}

func TestPreflight(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", complete(), scraped(time.Minute))
		start(t, s, "proxy-2", complete())
		served(t, p)
		p.SetTargets([]rollout.Target{pager("chat", nil, time.Second), pager("mail", nil, 2*time.Second)})
		p.drills(t)
		elapse(time.Hour)
		began := time.Now()
		got, ok := p.preflights(t)
		want := map[string]string{
			"policy":      "ok: the canary is failed back by limits, and by comparison with blue",
			"gates":       "ok: steps are taken on the verdict, and a canary that fails is failed back",
			"plan":        "ok: 1% 5% 10% 25% 50% 100% in 168h",
			"alerts":      "ok: a test message went to all 2 targets",
			"store":       "ok: the store answers (embedded)",
			"persistence": "ok: nothing is known to lose changes",
			"members":     "ok: one configuration and every variant are on all 2 members",
			"upstreams":   "ok: all 4 upstreams of blue and green can be connected to",
			"checks":      "ok: blue and green answered 4 checks",
			"metrics":     "ok: this instance's metrics were read 1m0s ago",
			"drill":       "ok: a drill passed 1h ago by alice",
			"contact":     "ok: on-call: 112",
			"canary":      "ok: green has 0%",
			"kills":       "ok: no kill is on",
		}
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("ok %t (-want +got):\n%s", ok, diff)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want as long as the slowest answer", took)
		}
	})
}

// Each row spoils one thing, and names what is said of it.
func TestPreflightFindsWhatIsMissing(t *testing.T) {
	beat := func(id store.MemberID, files map[string]store.File) func(*testing.T, *embedded.Store, *proxy, *agents) {
		return func(t *testing.T, s *embedded.Store, _ *proxy, _ *agents) {
			_, err := s.Pulse(context.Background(), store.Beat{MemberID: id, Files: files,
				Applied: map[string]splitter.Version{"assistant": stored(t, s).Version}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	other := store.MemberID{Name: "proxy-2", Boot: "b"}
	for _, tt := range []struct {
		name string
		def  func(*rollout.Definition)
		make func(*testing.T, *embedded.Store, *proxy, *agents)
		item string
		want string
	}{
		{"no failback", func(d *rollout.Definition) { d.Policy.Failback, d.Policy.Judge = nil, nil }, nil, "policy",
			"miss: nothing fails a bad canary back: failback is off"},
		{"neither limits nor judge", func(d *rollout.Definition) { d.Policy.Failback, d.Policy.Judge = new(health.Limits), nil }, nil, "policy",
			"miss: nothing fails a bad canary back: neither limits nor a judge are configured"},
		{"a plan that never passes", func(d *rollout.Definition) { d.Policy.Judge = nil }, nil, "gates",
			"miss: a rollout here could never end well, or never fail: the judge is off, so that no traffic stays on " +
				`"blue" at 100%, and without it no canary passes`},
		{"a plan that is none", func(d *rollout.Definition) { d.Plan.Steps = nil }, nil, "gates",
			"miss: the plan is not valid: steps : the last must be 100%"},
		{"no plan", func(d *rollout.Definition) { d.Plan = nil }, nil, "plan",
			"warning: no rollout is configured: the default plan counts, 1% 5% 10% 25% 50% 100% in 168h"},
		{"no target", nil, nil, "alerts", "miss: nobody is told of a failback: configure `alert`"},
		{"a target that fails", nil, func(_ *testing.T, _ *embedded.Store, p *proxy, _ *agents) {
			p.SetTargets([]rollout.Target{pager("chat", nil, 0), pager("mail", errors.New("no such host"), 0)})
		}, "alerts", "miss: a test message did not arrive: mail: no such host"},
		{"a target that hangs", nil, func(_ *testing.T, _ *embedded.Store, p *proxy, _ *agents) {
			p.SetTargets([]rollout.Target{pager("chat", nil, time.Hour)})
		}, "alerts", "miss: a test message did not arrive: chat: context deadline exceeded"},
		{"no store", nil, func(_ *testing.T, _ *embedded.Store, p *proxy, _ *agents) { p.link.set(away) }, "store",
			"miss: the store does not answer: the store is unavailable: a fault of the test"},
		{"no store, members", nil, func(_ *testing.T, _ *embedded.Store, p *proxy, _ *agents) { p.link.set(away) }, "members",
			"miss: the fleet's members are not known, as the store does not answer"},
		{"an earlier release", nil, beat(other, nil), "members",
			"warning: proxy-2 does not tell what its configuration has (an earlier release)"},
		{"a member without a variant", nil, beat(other, map[string]store.File{"assistant": {Hash: "x", Variants: []string{"blue"}}}),
			"members", "miss: proxy-2 has no variant green"},
		{"a member with another file", nil,
			beat(other, map[string]store.File{"assistant": {Hash: "x", Variants: []string{"blue", "green"}}}),
			"members", "miss: proxy-2 has another configuration of the split than proxy-1"},
		{"a silent member", nil, func(t *testing.T, s *embedded.Store, p *proxy, a *agents) {
			beat(other, nil)(t, s, p, a)
			elapse(time.Minute)
		}, "members", "miss: proxy-2 (unseen for 1m0s) may still serve; if it is gone for good, `split forget --instance proxy-2`"},
		{"an upstream that is down", nil, func(_ *testing.T, _ *embedded.Store, _ *proxy, a *agents) {
			a.broken["green:80"] = errors.New("refused")
		}, "upstreams", "miss: green at green:80: refused"},
		{"a check that fails", nil, func(_ *testing.T, _ *embedded.Store, _ *proxy, a *agents) {
			a.broken["green"] = errors.New("status 500")
		}, "checks", "miss: green, probe 1: status 500"},
		{"no agents", nil, func(_ *testing.T, _ *embedded.Store, p *proxy, _ *agents) { p.at.Agents = nil }, "checks",
			"miss: no configuration in force on this instance has a handler that could ask the agents"},
		{"old metrics", nil, func(_ *testing.T, _ *embedded.Store, _ *proxy, _ *agents) { elapse(10 * time.Minute) }, "metrics",
			"warning: this instance's metrics were read 10m0s ago, and not since"},
		{"no drill", nil, nil, "drill", "miss: no drill has passed yet: `split drill assistant USER...` rehearses a failback"},
		{"no drill, none asked for", func(d *rollout.Definition) { d.DrillEvery = 0 }, nil, "drill",
			"warning: no drill has passed yet: `split drill assistant USER...` rehearses a failback"},
		{"an old drill", func(d *rollout.Definition) { d.DrillEvery = health.Duration(time.Hour) }, func(t *testing.T, _ *embedded.Store, p *proxy, _ *agents) {
			p.drills(t)
			elapse(2*time.Hour + time.Minute)
		}, "drill", "miss: the last drill that passed was 2h1m ago, and is to be repeated every 1h: `split drill assistant USER...`"},
		{"no contact", func(d *rollout.Definition) { d.Contact = "" }, nil, "contact",
			"miss: nobody is named to be called when a rollout needs a person: set `contact`"},
		{"a canary with a share", nil, func(t *testing.T, _ *embedded.Store, p *proxy, _ *agents) { p.set(t, 5) }, "canary",
			"miss: green is on trial already, with 5%"},
		{"a killed canary", nil, func(t *testing.T, _ *embedded.Store, p *proxy, _ *agents) { kills(t, p, "green") }, "canary",
			"miss: green is killed"},
		{"a kill", nil, func(t *testing.T, _ *embedded.Store, p *proxy, _ *agents) { kills(t, p, "green") }, "kills",
			"miss: killed: green"},
		{"no canary", func(d *rollout.Definition) { d.Canary = "" }, nil, "canary", "miss: the split has no canary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				def := changed(complete(), tt.def)
				began := time.Now()
				p := start(t, s, "proxy-1", def, func(o *rollout.Options) { o.Scraped = func() time.Time { return began } })
				a := served(t, p)
				if tt.make != nil {
					tt.make(t, s, p, a)
				}
				asked := time.Now()
				got, ok := p.preflights(t)
				if got[tt.item] != tt.want {
					t.Errorf("got %q, want %q", got[tt.item], tt.want)
				}
				if took := time.Since(asked); ok || took > 11*time.Second {
					t.Errorf("got ok %t after %s, want not, within 10 s", ok, took)
				}
			})
		})
	}
}

// Two proxies of one name are not all well, though nothing else is wrong with either.
func TestPreflightTellsOfTwins(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", complete())
		start(t, s, "proxy-2", complete())
		two := start(t, s, "proxy-1", complete())
		elapse(4 * time.Second)
		const want = `warning: 2 living proxies are called "proxy-1": give each its own name (instance NAME)`
		for _, one := range []*proxy{p, two} {
			if got, _ := one.preflights(t); got["members"] != want {
				t.Errorf("got %q, want %q", got["members"], want)
			}
		}
		two.close(t)
		if got, _ := p.preflights(t); got["members"] != "ok: one configuration and every variant are on all 2 members" {
			t.Errorf("without the twin: got %q", got["members"])
		}
	})
}

// changed changes a definition, if anything is to be changed.
func changed(def rollout.Definition, change func(*rollout.Definition)) rollout.Definition {
	if change != nil {
		change(&def)
	}
	return def
}

// kills kills a variant.
func kills(t testing.TB, p *proxy, variant string) {
	t.Helper()
	if _, err := p.Kill(context.Background(), "assistant", rollout.KillRequest{Variant: variant}, alice); err != nil {
		t.Fatal(err)
	}
}
