package control_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// viaSocket is how every request of these tests comes in.
func viaSocket(*http.Request) string { return "socket" }

func handlerOf(f *fleet) http.Handler {
	return control.NewHandler(control.Options{Fleet: f, Via: viaSocket})
}

// call sends one request; a body makes it JSON, and each header is "Name: value".
func call(f *fleet, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	handlerOf(f).ServeHTTP(w, r)
	return w
}

// golden compares an answer, status line and headers included, with testdata/<name>.http.
func golden(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", w.Code, http.StatusText(w.Code))
	for _, h := range []string{"Allow", "Content-Type", "Cache-Control", "ETag"} {
		if v := w.Header().Get(h); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	got := b.String() + "\n" + w.Body.String()
	path := filepath.Join("testdata", name+".http")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("answer differs from %s (-want +got):\n%s", path, diff)
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		prepare                  func(*fleet)
	}{
		{name: "list", method: "GET", path: "/splits/v1/"},
		{name: "status", method: "GET", path: "/splits/v1/assistant"},
		{name: "lending", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.lends = true }},
		{name: "trouble", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.trouble = true }},
		{name: "killed", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.killed = true }},
		{name: "draining", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.draining = true }},
		{name: "unknown_split", method: "GET", path: "/splits/v1/nobody"},
		{name: "cooldown", method: "PATCH", path: "/splits/v1/assistant/weights", body: `{"weights":{"green":"10%"}}`,
			prepare: func(f *fleet) { f.err = fmt.Errorf("%w until 12:15, after 1 failback", rollout.ErrCooldown) }},
		{name: "unavailable", method: "PATCH", path: "/splits/v1/assistant/weights", body: `{"weights":{"green":"10%"}}`,
			prepare: func(f *fleet) {
				f.err = fmt.Errorf("%w, nothing was changed: %w", rollout.ErrUnavailable,
					store.Unavailable(fmt.Errorf("redis:6379: dial tcp 10.0.0.2:6379: connect: connection refused: %w", store.ErrNotWritten)))
			}},
		{name: "sum", method: "PATCH", path: "/splits/v1/assistant/weights", body: `{"weights":{"blue":"80%"}}`,
			prepare: func(f *fleet) {
				f.err = fmt.Errorf("%w: weights add up to 90%%, they must add up to 100%%", rollout.ErrInvalid)
			}},
		{name: "unchanged", method: "PATCH", path: "/splits/v1/assistant/weights?wait=2s", body: `{"weights":{"green":"10%"}}`,
			prepare: func(f *fleet) { f.same = true }},
		{name: "events", method: "GET", path: "/splits/v1/assistant/events"},
		{name: "instances", method: "GET", path: "/splits/v1/-/instances", prepare: func(f *fleet) {
			f.members[1].Seen = noon.Add(-40 * time.Second)
			f.members[1].Applied = map[string]splitter.Version{"assistant": {Revision: 11, ID: "dead"}, "elsewhere": {Revision: 1, ID: "a"}}
		}},
		{name: "ready", method: "GET", path: "/splits/v1/-/ready"},
		{name: "not_ready", method: "GET", path: "/splits/v1/-/ready", prepare: func(f *fleet) { f.notReady = true }},
		{name: "drained", method: "GET", path: "/splits/v1/assistant/drained?variant=old"},
		{name: "drained_in_use", method: "GET", path: "/splits/v1/assistant/drained?variant=green"},
		{name: "drained_unknown", method: "GET", path: "/splits/v1/assistant/drained?variant=lost"},
		{name: "drained_nobody", method: "GET", path: "/splits/v1/assistant/drained?variant=nobody"},
		{name: "drained_unnamed", method: "GET", path: "/splits/v1/assistant/drained"},
		{name: "weights", method: "PATCH", path: "/splits/v1/assistant/weights?wait=2s",
			body: `{"weights":{"green":"10%"},"actor":"alice","reason":"first tenth"}`},
		{name: "kill", method: "POST", path: "/splits/v1/assistant/kill",
			body: `{"variant":"green","level":"cut","actor":"alice","reason":"leaks prompts"}`},
		{name: "kill_drain", method: "POST", path: "/splits/v1/assistant/kill?wait=2s",
			body: `{"variant":"green","level":"drain","deadline":"1m30s","rate":"200/s","actor":"alice"}`},
		{name: "kill_queued", method: "POST", path: "/splits/v1/assistant/kill?wait=2s",
			body: `{"variant":"green"}`, prepare: func(f *fleet) { f.queued = true }},
		{name: "unconfirmed", method: "POST", path: "/splits/v1/assistant/revive?wait=1ms", body: `{"ids":["k1"]}`,
			prepare: func(f *fleet) { f.missing = []string{"proxy-2"} }},
		{name: "unknown_confirmation", method: "POST", path: "/splits/v1/assistant/revive?wait=1ms", body: `{}`,
			prepare: func(f *fleet) { f.confirm = fmt.Errorf("%w: connection refused", rollout.ErrUnavailable) }},
		{name: "stale", method: "POST", path: "/splits/v1/assistant/policy", body: `{}`,
			prepare: func(f *fleet) { f.err = fmt.Errorf("%w: it is at 12-c0ffee", rollout.ErrStale) }},
		{name: "warned", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) {
			f.warning = "maxmemory-policy is allkeys-lru: it may evict States and kills; set noeviction"
		}},
		{name: "lost", method: "PATCH", path: "/splits/v1/assistant/weights", body: `{"weights":{"green":"10%"}}`,
			prepare: func(f *fleet) {
				f.err = fmt.Errorf("%w: it did not confirm the change; look at the status before you repeat it: %w: %w",
					rollout.ErrUnavailable, rollout.ErrUnconfirmed, store.Unavailable(errors.New("redis:6379: read tcp: i/o timeout")))
			}},
		{name: "untold", method: "POST", path: "/splits/v1/assistant/kill?wait=2s", body: `{"variant":"green"}`,
			prepare: func(f *fleet) { f.queued, f.untold = true, []string{"proxy-1/b9", "proxy-2", "proxy-3"} }},
		{name: "announced", method: "POST", path: "/splits/v1/assistant/kill?wait=2s", body: `{"variant":"green"}`,
			prepare: func(f *fleet) { f.queued, f.told = true, true }},
		{name: "laggards", method: "POST", path: "/splits/v1/assistant/revive?wait=1ms", body: `{}`,
			prepare: func(f *fleet) {
				f.members = append(f.members, member("proxy-3", "b3", 40*time.Second), member("proxy-3", "b4", 2*time.Second))
				f.missing = []string{"gone", "proxy-2", "proxy-3/b3"}
			}},
		{name: "silent", method: "POST", path: "/splits/v1/assistant/revive?wait=1ms", body: `{}`,
			prepare: func(f *fleet) {
				f.members = append(f.members, member("proxy-3", "b3", 40*time.Second))
				f.missing = []string{"proxy-3"}
			}},
		{name: "twins", method: "GET", path: "/splits/v1/-/instances", prepare: func(f *fleet) {
			f.members = append(f.members, member("proxy-2", "b3", time.Second), member("proxy-3", "b4", time.Minute))
			f.members = append(f.members, member("proxy-4", "b5", time.Hour), member("proxy-4", "b6", 0))
			f.members[5].Started = noon.Add(-time.Minute)
			f.members = append(f.members, member("proxy-5", "b7", time.Minute), member("proxy-5", "b8", 0))
			f.members[7].Started = noon.Add(-time.Hour)
		}},
		{name: "forget", method: "POST", path: "/splits/v1/leftover/forget?wait=2s", body: `{"reason":"not needed any more"}`},
		{name: "forgotten", method: "POST", path: "/splits/v1/leftover/forget?wait=2s", body: `{}`, prepare: func(f *fleet) {
			f.err = fmt.Errorf(`%w: "leftover" was forgotten on 2026-11-21`, rollout.ErrUnknownSplit)
		}},
		{name: "unknown_stored", method: "POST", path: "/splits/v1/assistant/forget", body: `{}`, prepare: func(f *fleet) {
			f.err = fmt.Errorf(`%w: the store has no state of "nobody"; it has some of ["assistant" "leftover"]`, rollout.ErrUnknownSplit)
		}},
		{name: "forget_used", method: "POST", path: "/splits/v1/assistant/forget?wait=2s", body: `{}`, prepare: func(f *fleet) {
			f.err = fmt.Errorf(`%w: "assistant" is configured by proxy-1, proxy-2`, rollout.ErrRefused)
		}},
		{name: "forget_instance", method: "DELETE", path: "/splits/v1/-/instances/proxy-2"},
		{name: "unknown_instance", method: "DELETE", path: "/splits/v1/-/instances/proxy-9"},
		{name: "alive", method: "DELETE", path: "/splits/v1/-/instances/proxy-2",
			prepare: func(f *fleet) {
				f.err = fmt.Errorf(`%w: "proxy-2" was heard of 300ms ago; if it is gone, try again in 5s`, rollout.ErrRefused)
			}},
		{name: "kill_stable", method: "POST", path: "/splits/v1/assistant/kill", body: `{"variant":"blue"}`, prepare: func(f *fleet) {
			f.err = fmt.Errorf(`%w: "blue" is stable, killing it leaves nobody to serve; to kill the whole split, say so `+
				`(--all, or "all": true)`, rollout.ErrRefused)
		}},
		{name: "not_on", method: "POST", path: "/splits/v1/assistant/revive", body: `{"ids":["k7"]}`, prepare: func(f *fleet) {
			f.err = fmt.Errorf(`%w: no kill of "assistant" is on that this would lift; on are k1 (of green)`, rollout.ErrRefused)
		}},
		{name: "import", method: "POST", path: "/splits/v1/assistant/import?wait=2s", body: `{"state":` + exported + `,"force":true}`,
			prepare: func(f *fleet) {
				f.on = []splitter.Kill{{ID: "k9", Variant: "green", Level: splitter.KillCut, At: noon}, {ID: "k8", At: noon}}
				f.note = `kills of the file that were lifted here are not brought back: k7 (of "green")`
			}},
		{name: "import_elsewhere", method: "POST", path: "/splits/v1/leftover/import?wait=2s",
			body: `{"state":` + strings.Replace(exported, "assistant", leftover, 1) + `}`, prepare: func(f *fleet) {
				f.members[1].Applied[leftover] = splitter.Version{Revision: 1, ID: "a"}
			}},
		{name: "plan", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.planned }},
		{name: "plan_vexed", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.vexed }},
		{name: "plan_watch", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.watching }},
		{name: "plan_failing", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.failing }},
		{name: "plan_recovering", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.recovering }},
		{name: "plan_killed", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.killedWhilePaused }},
		{name: "list_failing", method: "GET", path: "/splits/v1/", prepare: func(f *fleet) { f.shows = f.failing }},
		{name: "promoted", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) {
			f.shows, f.ended = f.finish, splitter.EndPromoted
		}},
		{name: "aborted", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) {
			f.shows, f.ended = f.finish, splitter.EndAborted
		}},
		{name: "idle", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.finish }},
		{name: "rehearsed", method: "GET", path: "/splits/v1/assistant", prepare: func(f *fleet) { f.shows = f.rehearsed }},
		{name: "start", method: "POST", path: "/splits/v1/assistant/start?wait=2s",
			body: `{"plan":{"steps":[{"weight":"10%","bake":"1h"},{"weight":"100%"}]},"actor":"alice","reason":"v8"}`},
		{name: "step", method: "POST", path: "/splits/v1/assistant/step?wait=2s", body: `{"step":4,"actor":"alice"}`},
		{name: "another_step", method: "POST", path: "/splits/v1/assistant/step", body: `{"step":3}`, prepare: func(f *fleet) {
			f.shows, f.err = f.planned, fmt.Errorf("%w: step 3 is reached, and the next one is 4 (25%%)", rollout.ErrStep)
		}},
		{name: "drill", method: "POST", path: "/splits/v1/assistant/drill", body: `{"users":["test-1","test-2"],"actor":"alice"}`},
		{name: "drill_failed", method: "POST", path: "/splits/v1/assistant/drill", body: `{"users":["test-1"]}`,
			prepare: func(f *fleet) { f.missing = []string{"proxy-2"} }},
		{name: "preflight", method: "POST", path: "/splits/v1/assistant/preflight"},
		{name: "preflight_miss", method: "POST", path: "/splits/v1/assistant/preflight", body: `{}`, prepare: func(f *fleet) { f.trouble = true }},
		{name: "why", method: "GET", path: "/splits/v1/assistant/why"},
		{name: "targets", method: "GET", path: "/splits/v1/-/targets", prepare: func(f *fleet) { f.trouble = true }},
		{name: "targets_none", method: "GET", path: "/splits/v1/-/targets"},
		{name: "event_lines", method: "GET", path: "/splits/v1/assistant/events?after=1&limit=2", prepare: func(f *fleet) {
			f.happen("started", "step", "step", "promoted")
		}},
		{name: "event_lines_none", method: "GET", path: "/splits/v1/assistant/events?after="},
		{name: "method", method: "DELETE", path: "/splits/v1/assistant"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			if tt.prepare != nil {
				tt.prepare(f)
			}
			golden(t, tt.name, call(f, tt.method, tt.path, tt.body))
		})
	}
}

func TestChangesReachTheFleet(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		want                     any
	}{
		{"weights", "PATCH", "weights", `{"weights":{"green":"0.5%"},"force":true}`,
			rollout.WeightChange{Weights: map[string]splitter.Weight{"green": 500}, Force: true}},
		{"weights from file", "PATCH", "weights", `{"from_file":true}`, rollout.WeightChange{FromFile: true}},
		{"kill all", "POST", "kill", `{"variant":"blue","all":true}`, rollout.KillRequest{Variant: "blue", All: true}},
		{"kill by default lets requests finish", "POST", "kill", ``, rollout.KillRequest{Level: splitter.KillRequests}},
		{"kill cut", "POST", "kill", `{"variant":"green","level":"cut"}`, rollout.KillRequest{Variant: "green", Level: splitter.KillCut}},
		{"kill drain", "POST", "kill", `{"level":"drain"}`, rollout.KillRequest{Level: splitter.KillDrain}},
		{"kill drain until", "POST", "kill", `{"level":"drain","deadline":"1m","rate":"5/s"}`,
			rollout.KillRequest{Level: splitter.KillDrain, Deadline: time.Minute, Rate: 5}},
		{"kill cut by and by", "POST", "kill", `{"level":"cut","rate":"200/s"}`, rollout.KillRequest{Level: splitter.KillCut, Rate: 200}},
		{"revive", "POST", "revive", `{"variant":"green"}`, rollout.ReviveRequest{Variant: "green"}},
		{"revive by id", "POST", "revive", `{"ids":["k1"]}`, rollout.ReviveRequest{IDs: []string{"k1"}}},
		{"rename", "POST", "rename", `{"from":"blue","to":"blue2"}`, [2]string{"blue", "blue2"}},
		{"adopt", "POST", "adopt", `{"stable":"green","canary":"red","weights":{"red":"1%"}}`,
			rollout.AdoptRequest{Stable: "green", Canary: "red", Weights: map[string]splitter.Weight{"red": 1000}}},
		{"start", "POST", "start", ``, rollout.StartRequest{}},
		{"start anew", "POST", "start", `{"plan":null,"force":true}`, rollout.StartRequest{Force: true}},
		{"start by a plan of its own", "POST", "start", `{"plan":{"steps":[{"weight":"2%","bake":"1h"},{"weight":"20%"},{"weight":"100%"}],` +
			`"min_users":0,"gates":[{"webhook":"https://gate.example"},{"approval":true,"before":"20%"}],"on_fail":"pause"}}`,
			rollout.StartRequest{Plan: ownPlan()}},
		{"start by the default plan", "POST", "start", `{"plan":{}}`, rollout.StartRequest{Plan: new(rollout.DefaultPlan())}},
		{"pause", "POST", "pause", `{}`, "pause"},
		{"resume", "POST", "resume", `{}`, "resume"},
		{"step", "POST", "step", `{"step":4}`, rollout.StepRequest{Step: 4}},
		{"promote", "POST", "promote", `{}`, rollout.PromoteRequest{}},
		{"promote at once", "POST", "promote", `{"full":true,"step":3}`, rollout.PromoteRequest{Full: true, Step: 3}},
		{"abort", "POST", "abort", `{}`, "abort"},
		{"rollback", "POST", "rollback", `{}`, rollout.RollbackRequest{}},
		{"rollback to", "POST", "rollback", `{"to":"blue"}`, rollout.RollbackRequest{To: "blue"}},
		{"retry", "POST", "retry", `{"force":true}`, rollout.RetryRequest{Force: true}},
		{"switch", "POST", "switch", `{"to":"green","skip_checks":true}`, rollout.SwitchRequest{To: "green", SkipChecks: true}},
		{"switch back", "POST", "switch-back", `{}`, "switch back"},
		{"retire", "POST", "retire", `{"variant":"red","undo":true}`, rollout.RetireRequest{Variant: "red", Undo: true}},
		{"drill", "POST", "drill", `{"users":["test-1"]}`, rollout.DrillRequest{Users: []string{"test-1"}}},
		{"policy", "POST", "policy", `{}`, "policy"},
		{"forget", "POST", "forget", ``, "forget"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			w := call(f, tt.method, "/splits/v1/assistant/"+tt.path, tt.body, control.ActorHeader+": alice@laptop", `If-Match: "12-c0ffee"`)
			if w.Code != http.StatusOK {
				t.Fatalf("status = %d, want 200: %s", w.Code, w.Body)
			}
			by := rollout.By{Actor: "alice@laptop", Via: "socket", If: &splitter.Version{Revision: 12, ID: "c0ffee"}}
			if diff := cmp.Diff([]any{tt.want, by}, f.asked); diff != "" {
				t.Errorf("the fleet was asked otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

// ownPlan is the plan of a caller who leaves most of it to the defaults.
func ownPlan() *rollout.Plan {
	p := rollout.DefaultPlan()
	p.Steps = []rollout.Step{{Weight: 2_000, Bake: ms(3_600_000)}, {Weight: 20_000, Bake: ms(86_400_000)}, {Weight: splitter.Full}}
	p.MinUsers, p.OnFail = 0, rollout.OnFailPause
	p.Gates = []rollout.Gate{{Webhook: "https://gate.example", Timeout: ms(10_000)}, {Approval: true, Before: 20_000}}
	return &p
}

func TestTheBodysActorOutranksTheHeaders(t *testing.T) {
	f := newFleet()
	call(f, "POST", "/splits/v1/assistant/policy", `{"actor":"bob"}`, control.ActorHeader+": alice")
	want := []any{"policy", rollout.By{Actor: "bob", Via: "socket"}}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Errorf("the fleet was asked otherwise (-want +got):\n%s", diff)
	}
}

func TestAChangeOutlivesItsCaller(t *testing.T) {
	f := newFleet()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", "/splits/v1/assistant/kill", nil)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	alive := &aliveFleet{fleet: f}
	control.NewHandler(control.Options{Fleet: alive}).ServeHTTP(httptest.NewRecorder(), r)
	if alive.err != nil {
		t.Errorf("the kill's context ended with its caller: %v", alive.err)
	}
}

// aliveFleet notes whether the context of a kill has ended.
type aliveFleet struct {
	*fleet
	err error
}

func (a *aliveFleet) Kill(ctx context.Context, split string, r rollout.KillRequest, by rollout.By) (rollout.Result, error) {
	a.err = ctx.Err()
	return a.fleet.Kill(ctx, split, r, by)
}

func TestAnyStateSatisfiesTheStar(t *testing.T) {
	f := newFleet()
	call(f, "POST", "/splits/v1/assistant/policy", `{}`, "If-Match: *")
	if diff := cmp.Diff([]any{"policy", rollout.By{Via: "socket"}}, f.asked); diff != "" {
		t.Errorf("the fleet was asked otherwise (-want +got):\n%s", diff)
	}
}

func TestHeadHasNoBodyOfItsOwn(t *testing.T) {
	server := httptest.NewServer(handlerOf(newFleet()))
	defer server.Close()
	resp, err := http.Head(server.URL + "/splits/v1/assistant")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, want := resp.Header.Get("ETag"), `"12-c0ffee"`; resp.StatusCode != 200 || got != want {
		t.Errorf("HEAD = %d with ETag %s, want 200 with %s", resp.StatusCode, got, want)
	}
}

// brokenWriter is a client that has gone.
type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestUnsentAnswersAreTold(t *testing.T) {
	for _, path := range []string{"/splits/v1/", "/nowhere"} {
		var told error
		h := control.NewHandler(control.Options{Fleet: newFleet(), Failed: func(_ *http.Request, err error) { told = err }})
		h.ServeHTTP(brokenWriter{httptest.NewRecorder()}, httptest.NewRequest("GET", path, nil))
		if told == nil {
			t.Errorf("GET %s: a broken pipe was not told", path)
		}
	}
}
