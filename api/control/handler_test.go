package control_test

import (
	"context"
	"encoding/json"
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
		{name: "events", method: "GET", path: "/splits/v1/assistant/events"},
		{name: "instances", method: "GET", path: "/splits/v1/-/instances", prepare: func(f *fleet) {
			f.members[1].Seen = noon.Add(-40 * time.Second)
			f.members[1].Applied = map[string]splitter.Version{"assistant": {Revision: 11, ID: "dead"}, "elsewhere": {Revision: 1, ID: "a"}}
		}},
		{name: "ready", method: "GET", path: "/splits/v1/-/ready"},
		{name: "not_ready", method: "GET", path: "/splits/v1/-/ready", prepare: func(f *fleet) { f.notReady = true }},
		{name: "weights", method: "PATCH", path: "/splits/v1/assistant/weights?wait=2s",
			body: `{"weights":{"green":"10%"},"actor":"alice","reason":"first tenth"}`},
		{name: "kill", method: "POST", path: "/splits/v1/assistant/kill",
			body: `{"variant":"green","level":"cut","actor":"alice","reason":"leaks prompts"}`},
		{name: "kill_queued", method: "POST", path: "/splits/v1/assistant/kill?wait=2s",
			body: `{"variant":"green"}`, prepare: func(f *fleet) { f.queued = true }},
		{name: "unconfirmed", method: "POST", path: "/splits/v1/assistant/revive?wait=1ms", body: `{"ids":["k1"]}`,
			prepare: func(f *fleet) { f.missing = []string{"proxy-2"} }},
		{name: "unknown_confirmation", method: "POST", path: "/splits/v1/assistant/revive?wait=1ms", body: `{}`,
			prepare: func(f *fleet) { f.confirm = fmt.Errorf("%w: connection refused", rollout.ErrUnavailable) }},
		{name: "stale", method: "POST", path: "/splits/v1/assistant/policy", body: `{}`,
			prepare: func(f *fleet) { f.err = fmt.Errorf("%w: it is at 12-c0ffee", rollout.ErrStale) }},
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
		{"revive", "POST", "revive", `{"variant":"green"}`, rollout.ReviveRequest{Variant: "green"}},
		{"revive by id", "POST", "revive", `{"ids":["k1"]}`, rollout.ReviveRequest{IDs: []string{"k1"}}},
		{"rename", "POST", "rename", `{"from":"blue","to":"blue2"}`, [2]string{"blue", "blue2"}},
		{"adopt", "POST", "adopt", `{"stable":"green","canary":"red","weights":{"red":"1%"}}`,
			rollout.AdoptRequest{Stable: "green", Canary: "red", Weights: map[string]splitter.Weight{"red": 1000}}},
		{"policy", "POST", "policy", `{}`, "policy"},
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

func TestTheBodysActorOutranksTheHeaders(t *testing.T) {
	f := newFleet()
	call(f, "POST", "/splits/v1/assistant/policy", `{"actor":"bob"}`, control.ActorHeader+": alice")
	want := []any{"policy", rollout.By{Actor: "bob", Via: "socket"}}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Errorf("the fleet was asked otherwise (-want +got):\n%s", diff)
	}
}

func TestRefusedRequests(t *testing.T) {
	const weights = "/splits/v1/assistant/weights"
	long := strings.Repeat("ä", 129)
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string // part of the detail
	}{
		{"unknown split", "GET", "/splits/v1/nobody", "", nil, 404, `"nobody"`},
		{"unknown path", "GET", "/splits/v1/assistant/weight", "", nil, 404, "/splits/v1/assistant/weight"},
		{"unknown fleet path", "GET", "/splits/v1/-/nothing", "", nil, 404, "/splits/v1/-/nothing"},
		{"no split is named -", "GET", "/splits/v1/-", "", nil, 404, "/splits/v1/-"},
		{"another prefix", "GET", "/config/", "", nil, 404, "/config/"},
		{"GET of a change", "GET", weights, "", nil, 405, "use PATCH"},
		{"form", "PATCH", weights, "weights=1", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "application/x-www-form-urlencoded"},
		{"no content type", "POST", "/splits/v1/assistant/kill", "", []string{"Content-Type: "}, 415, `""`},
		{"text", "POST", "/splits/v1/assistant/kill", `{}`, []string{"Content-Type: text/plain"}, 415, "text/plain"},
		{"no JSON", "PATCH", weights, `{"weights":`, nil, 400, "not valid JSON"},
		{"two values", "PATCH", weights, `{} {}`, nil, 400, "not valid JSON"},
		{"no object", "PATCH", weights, `[]`, nil, 422, "JSON object"},
		{"null", "POST", "/splits/v1/assistant/kill", `null`, nil, 422, "JSON object"},
		{"unknown field", "POST", "/splits/v1/assistant/kill", `{"varient":"green"}`, nil, 422, `"varient"`},
		{"repeated field", "PATCH", weights, `{"weights":{"green":"1%","green":"50%"}}`, nil, 422, `"green" is given twice`},
		{"wrong type", "PATCH", weights, `{"force":"yes"}`, nil, 422, `"force"`},
		{"weight without sign", "PATCH", weights, `{"weights":{"green":"10"}}`, nil, 422, `"10"`},
		{"weight as number", "PATCH", weights, `{"weights":{"green":10}}`, nil, 422, `weights`},
		{"unknown level", "POST", "/splits/v1/assistant/kill", `{"level":"hard"}`, nil, 422, `"hard"`},
		{"nothing to set", "PATCH", weights, `{}`, nil, 422, "nothing to set"},
		{"weights and file", "PATCH", weights, `{"weights":{"green":"1%"},"from_file":true}`, nil, 422, "exclude"},
		{"ids and variant", "POST", "/splits/v1/assistant/revive", `{"ids":["a"],"variant":"green"}`, nil, 422, "exclude"},
		{"half a rename", "POST", "/splits/v1/assistant/rename", `{"from":"blue"}`, nil, 422, `"to"`},
		{"too long", "PATCH", weights, `{"reason":"` + strings.Repeat("x", 64<<10) + `"}`, nil, 413, "65536 bytes"},
		{"long actor", "POST", "/splits/v1/assistant/kill", `{"actor":"` + long + `"}`, nil, 422, "129 characters"},
		{"long actor in the header", "POST", "/splits/v1/assistant/kill", `{}`, []string{control.ActorHeader + ": " + long}, 422, "129 characters"},
		{"bytes in the header", "POST", "/splits/v1/assistant/kill", `{}`, []string{control.ActorHeader + ": \xff"}, 422, "UTF-8"},
		{"long reason", "POST", "/splits/v1/assistant/kill", `{"reason":"` + strings.Repeat("x", 1001) + `"}`, nil, 422, "1001 characters"},
		{"escape sequence", "POST", "/splits/v1/assistant/kill", `{"reason":"\u001b[2J"}`, nil, 422, `'\x1b'`},
		{"newline in actor", "POST", "/splits/v1/assistant/kill", `{"actor":"a\nb"}`, nil, 422, `'\n'`},
		{"bare If-Match", "POST", "/splits/v1/assistant/kill", `{}`, []string{"If-Match: 12-c0ffee"}, 400, "quotes included"},
		{"weak If-Match", "POST", "/splits/v1/assistant/kill", `{}`, []string{`If-Match: W/"12-c0ffee"`}, 400, "quotes included"},
		{"two tags", "POST", "/splits/v1/assistant/kill", `{}`, []string{`If-Match: "12-a", "12-b"`}, 400, "quotes included"},
		{"wait without unit", "POST", "/splits/v1/assistant/kill?wait=2", `{}`, nil, 400, `"2"`},
		{"endless wait", "POST", "/splits/v1/assistant/kill?wait=2h", `{}`, nil, 400, `"2h"`},
		{"limit 0", "GET", "/splits/v1/assistant/events?limit=0", "", nil, 400, `"0"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			w := call(f, tt.method, tt.path, tt.body, tt.headers...)
			var p control.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%v in %q", err, w.Body)
			}
			if w.Code != tt.status || p.Status != tt.status || !strings.Contains(p.Detail, tt.want) {
				t.Errorf("answer = %d %+v, want %d with %q", w.Code, p, tt.status, tt.want)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type = %q, want application/problem+json", got)
			}
			if len(f.asked) > 0 {
				t.Errorf("the fleet was asked for %v, want nothing", f.asked)
			}
		})
	}
}

func TestErrorsOfTheFleet(t *testing.T) {
	tests := []struct {
		err    error
		status int
		kind   string
	}{
		{rollout.ErrUnknownSplit, 404, "unknown-split"},
		{rollout.ErrUnknownVariant, 404, "unknown-variant"},
		{rollout.ErrInvalid, 422, "invalid"},
		{rollout.ErrStale, 412, "stale"},
		{rollout.ErrCooldown, 409, "cooldown"},
		{rollout.ErrRefused, 409, "refused"},
		{rollout.ErrUnavailable, 503, "unavailable"},
		{store.ErrNewerSchema, 409, "newer-schema"},
		{store.ErrConflict, 409, "conflict"},
		{errors.New("the unexpected"), 500, "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			f := newFleet()
			f.err = fmt.Errorf("because: %w", tt.err)
			w := call(f, "POST", "/splits/v1/assistant/policy", `{}`)
			var p control.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status || p.Kind() != tt.kind || p.Detail != f.err.Error() {
				t.Errorf("answer = %d %+v, want %d of kind %s", w.Code, p, tt.status, tt.kind)
			}
		})
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
