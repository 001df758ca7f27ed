package caddymodule

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// agents returns what asks the variants of the split that the site has.
func (p *proxy) agents() rollout.Agents {
	p.t.Helper()
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		if h := splitIn(server.Routes); h != nil {
			return h.attached.Agents
		}
	}
	p.t.Fatal("no split is routed")
	return nil
}

func splitIn(routes caddyhttp.RouteList) *Handler {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch handler := handler.(type) {
			case *Handler:
				return handler
			case *caddyhttp.Subroute:
				if h := splitIn(handler.Routes); h != nil {
					return h
				}
			}
		}
	}
	return nil
}

// errorsOf returns what was found by name, "" for what is well.
func errorsOf(checked []rollout.Checked) map[string]string {
	found := map[string]string{}
	for _, c := range checked {
		found[c.Name] = ""
		if c.Err != nil {
			found[c.Name] = c.Err.Error()
		}
	}
	return found
}

// TestCheck has a request answered in many ways.
func TestCheck(t *testing.T) {
	a := startAgent(t)
	p := startProxy(t, a.site(`check POST /v1/chat {
		header Content-Type application/json
		body "{}"
		status 2xx 404
		body_contains hello
		timeout 500ms
	}
	probes 0`))
	const name = "POST /v1/chat"
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"as it should be", in("oh, hello there", false), ""},
		{"another status that is expected", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "hello")
		}, ""},
		{"a status that is not", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
			"status 401, expected is 2xx or 404"},
		{"a failing status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			"status 502, expected is 2xx or 404"},
		{"another text", in("good bye", false), `its answer does not contain "hello"`},
		{"broken off", in("oh, hello there", true), "reset"},
		{"an error inside a 200", in(`data: {"error":{"message":"hello","code":"overloaded"}}`+"\n\n", false,
			"Content-Type", "text/event-stream"), "protocol_error"},
		{"nothing in time", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // the server sees a client leave only behind its request's body
			<-r.Context().Done()
		}, "no whole answer within 500ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.will(tt.answer)
			if got := errorsOf(p.agents().Check(t.Context(), "only"))[name]; got != tt.want && !strings.HasPrefix(got, tt.want+" (") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := p.counts("s"); got != (health.Counts{}) {
		t.Errorf("checks were counted: %v", show(got))
	}
	if n := p.controller().Split("s").Flights.Len(); n != 0 {
		t.Errorf("checks are among the requests in progress: %d", n)
	}
}

// TestCheckIsSentAsConfigured has all of a check arrive.
func TestCheckIsSentAsConfigured(t *testing.T) {
	t.Setenv("TOKEN", "s3cret")
	a := startAgent(t)
	p := startProxy(t, a.site(`response_header X-Variant
	check PUT /v1/chat?q=1 {
		header Authorization "Bearer {env.TOKEN}"
		header Host agents.internal
		header X-Two a
		header X-Two b
		body "{\"a\":1}"
	}
	probes 2`))
	got := make(chan string, 3)
	a.will(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		got <- strings.Join([]string{r.Method, r.RequestURI, r.Host, h.Get("Authorization"), strings.Join(h["X-Two"], "+"),
			h.Get("User-Agent"), h.Get("Cookie"), string(body)}, "|")
	})
	if diff := cmp.Diff(map[string]string{"PUT /v1/chat": "", "probe 1, PUT /v1/chat": "", "probe 2, PUT /v1/chat": ""},
		errorsOf(p.agents().Check(t.Context(), "only"))); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	for range 3 {
		const want = `PUT|/v1/chat?q=1|agents.internal|Bearer s3cret|a+b|Switchback-Check||{"a":1}`
		if sent := <-got; sent != want {
			t.Errorf("got  %s\nwant %s", sent, want)
		}
	}
}

// TestProbesWithoutACheck asks an agent of which nothing is known: it is well if it does not fail.
func TestProbesWithoutACheck(t *testing.T) {
	a := startAgent(t)
	p := startProxy(t, a.site(""))
	for status, want := range map[int]string{http.StatusOK: "", http.StatusNotFound: "", http.StatusBadGateway: "status 502"} {
		a.will(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if diff := cmp.Diff(map[string]string{"probe 1, GET /": want, "probe 2, GET /": want, "probe 3, GET /": want},
			errorsOf(p.agents().Check(t.Context(), "only"))); diff != "" {
			t.Errorf("%d: want -, got +:\n%s", status, diff)
		}
	}
	if got := errorsOf(p.agents().Check(t.Context(), "red"))["red"]; got != errNoVariant.Error() {
		t.Errorf("a variant that is not there: got %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := p.agents().Check(ctx, "only"); !errors.Is(got[0].Err, context.Canceled) {
		t.Errorf("canceled: got %v", got[0].Err)
	}
}

// TestCheckOfARoute has a variant of several handlers, and one that panics and one that ends without an answer.
func TestCheckOfARoute(t *testing.T) {
	p := startProxy(t, `traffic_split s {
		variant only 100% {
			handle {
				@missing path /missing
				error @missing 404
				@broken path /broken
				error @broken "no luck" 500
				respond "{http.request.method} {http.request.host} {http.traffic_split.s.variant}"
			}
		}
		check /fine {
			body_contains "GET localhost"
		}
		check /missing {
			status 404
		}
		check /broken
		probes 0
	}`)
	want := map[string]string{"GET /fine": "", "GET /missing": "", "GET /broken": "error"}
	got := errorsOf(p.agents().Check(t.Context(), "only"))
	got["GET /broken"], _, _ = strings.Cut(got["GET /broken"], ":")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// refused returns an address at which nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.Listener.Addr().String()
}

// deadSite is a split of a variant with its own route.
func deadSite(route string) string { return "traffic_split s {\nvariant only 100% " + route + "\n}" }

func TestDead(t *testing.T) {
	a, gone := startAgent(t), refused(t)
	a.will(in("", false))
	alive := a.Listener.Addr().String()
	for _, tt := range []struct {
		name, route string
		dead        bool
		upstreams   map[string]bool // address → can be reached
	}{
		{"alive", alive, false, map[string]bool{alive: true}},
		{"one of two", gone + " " + alive, false, map[string]bool{gone: false, alive: true}},
		{"refused", gone, true, map[string]bool{gone: false}},
		{"two proxies", "{\nhandle {\nreverse_proxy /a " + gone + "\nreverse_proxy " + alive + "\n}\n}", false,
			map[string]bool{gone: false, alive: true}},
		{"two proxies that are down", "{\nhandle {\nreverse_proxy /a " + gone + "\nreverse_proxy " + gone + "\n}\n}", true,
			map[string]bool{gone: false}},
		{"a route that asks nobody", "{\nhandle {\nrespond hello\n}\n}", false, map[string]bool{}},
		{"dynamic", "{\ndynamic a {\nname localhost\nport 1\nversions ipv4\n}\n}", true, map[string]bool{"127.0.0.1:1": false}},
		{"no such socket", "unix//nowhere/agent.sock", true, map[string]bool{"unix//nowhere/agent.sock": false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProxy(t, deadSite(tt.route))
			if err := p.agents().Dead(t.Context(), "only"); (err != nil) != tt.dead {
				t.Errorf("dead: got %v, want %t", err, tt.dead)
			}
			got := map[string]bool{}
			for _, u := range p.agents().Upstreams(t.Context(), "only") {
				got[u.Address] = u.Err == nil
			}
			if diff := cmp.Diff(tt.upstreams, got); diff != "" {
				t.Errorf("upstreams: want -, got +:\n%s", diff)
			}
		})
	}
}

// TestDeadByItsHealthCheck has an agent that listens and whose health check fails.
func TestDeadByItsHealthCheck(t *testing.T) {
	a := startAgent(t)
	var sick atomic.Bool
	a.will(func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	p := startProxy(t, deadSite(a.Listener.Addr().String()+" {\nhealth_uri /healthz\nhealth_interval 10ms\n}"))
	if err := p.agents().Dead(t.Context(), "only"); err != nil {
		t.Errorf("well: got %v", err)
	}
	sick.Store(true)
	eventually(t, "it is known to be dead", func() bool { return errors.Is(p.agents().Dead(t.Context(), "only"), errUnhealthy) })
}

// TestDeadIsSure does not take a connection that takes long for a refused one, nor a variant for dead that is none.
func TestDeadIsSure(t *testing.T) {
	p := startProxy(t, deadSite(refused(t)))
	if err := p.agents().Dead(t.Context(), "red"); err != nil {
		t.Errorf("an unknown variant: got %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if err := p.agents().Dead(late, "only"); err != nil {
		t.Errorf("no time to try: got %v", err)
	}
}

// drillSite is a split of two variants that say their names.
const drillSite = `traffic_split s {
	key header X-User-Id trusted
	key header X-Session
	stable blue
	canary green
	variant blue 100% {
		handle {
			respond blue
		}
	}
	variant green 0% {
		handle {
			respond green
		}
	}
	override green {
		users tester
	}
	response_header X-Variant
}`

// TestDrill sends the users of a drill to the canary, for clients and for those who ask by key.
func TestDrill(t *testing.T) {
	p := startProxy(t, drillSite)
	p.hasSecret()
	agents := p.agents()
	asked := func(key string) string {
		t.Helper()
		variant, err := agents.Ask(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return variant
	}
	served := func(header, key string) string {
		body, _ := p.ask(header, key)
		return body
	}
	before := [][2]string{{asked("alice"), served("X-User-Id", "alice")}, {asked("tester"), served("X-User-Id", "tester")}}
	if diff := cmp.Diff([][2]string{{"blue", "blue"}, {"green", "green"}}, before); diff != "" {
		t.Errorf("before the drill: want -, got +:\n%s", diff)
	}
	hash := agents.UserHash("alice")
	if len(hash) != 16 || hash == agents.UserHash("bob") || hash != agents.UserHash("alice") || agents.UserHash("") != "" {
		t.Errorf("hashes: alice is %q, bob %q, nobody %q", hash, agents.UserHash("bob"), agents.UserHash(""))
	}
	p.drill(hash)
	during := [][2]string{{asked("alice"), served("X-User-Id", "alice")}, {asked("bob"), served("X-User-Id", "bob")},
		{asked("tester"), served("X-User-Id", "tester")}, {asked("alice"), served("X-Session", "alice")}}
	if diff := cmp.Diff([][2]string{{"green", "green"}, {"blue", "blue"}, {"green", "green"}, {"green", "green"}}, during); diff != "" {
		t.Errorf("in the drill: want -, got +:\n%s", diff)
	}
	p.kill("s", "", splitter.KillRequests)
	if variant, err := agents.Ask(t.Context(), "alice"); err == nil {
		t.Errorf("killed: got %s", variant)
	}
}

// drill begins a drill of users, by their hashes, in the store's State.
func (p *proxy) drill(users ...string) {
	p.t.Helper()
	state := p.controller().Split("s").State().Clone()
	state.Drill = &splitter.Drill{ID: "d", Variant: "green", Users: users, Until: time.Now().Add(time.Hour)}
	if _, err := p.controller().Import(p.t.Context(), "s", rollout.ImportRequest{State: state}, rollout.By{Actor: "test"}); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "the drill", func() bool { return p.controller().Split("s").State().Drill != nil })
}
