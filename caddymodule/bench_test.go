package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// silent is a response writer that costs nothing.
type silent struct{ header http.Header }

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) WriteHeader(int)             {}
func (s *silent) Write(p []byte) (int, error) { return len(p), nil }

// answer is a variant that costs nothing.
type answer struct{}

func (answer) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	w.WriteHeader(http.StatusOK)
	_, err := w.Write([]byte("fine"))
	return err
}

// BenchmarkHandler is what the handler adds to a request, without server, proxy or upstream; "alone" is the rest.
func BenchmarkHandler(b *testing.B) {
	app := &App{Store: &StoreConfig{Embedded: &EmbeddedConfig{Dir: b.TempDir()}}}
	ctx, err := caddy.ProvisionContext(&caddy.Config{AppsRaw: caddy.ModuleMap{"switchback": marshal(b, app)}})
	if err != nil {
		b.Fatal(err)
	}
	raw := `{"name": "s", "stable": "blue", "canary": "green", "keys": [{"from": "header", "name": "X-User-Id"}],
		"variants": [{"name": "blue", "weight": "90%", "handle": [{"handler": "static_response"}]},
			{"name": "green", "weight": "10%", "handle": [{"handler": "static_response"}]}]}`
	module, err := ctx.LoadModuleByID("http.handlers.traffic_split", []byte(raw))
	if err != nil {
		b.Fatal(err)
	}
	h := module.(*Handler)
	if err := h.app.Start(); err != nil {
		b.Fatal(err)
	}
	for _, v := range h.Variants {
		v.handler = answer{}
	}
	users := make([]string, 5000) // of one user most requests are no evidence, which costs less
	for i := range users {
		users[i] = "0b9c3f52-8d1e-4a67-9c0d-" + strconv.Itoa(1e11+i)
	}
	for name, serve := range map[string]caddyhttp.MiddlewareHandler{"alone": answer{}, "split": h} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				w := &silent{http.Header{}}
				r := httptest.NewRequest(http.MethodGet, "http://agent.test/", http.NoBody)
				r.Header.Set("X-User-Id", users[n%len(users)])
				r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
				if err := serve.ServeHTTP(w, r, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUser is what it costs to turn a key into what it is counted by: with a key of one block of the hash, and of
// the most.
func BenchmarkUser(b *testing.B) {
	app := &App{Secrets: []string{"0123456789abcdef0123456789abcdef"}, appState: appState{users: new(atomic.Pointer[userHash])}}
	for name, key := range map[string]string{"UUID": "0b9c3f52-8d1e-4a67-9c0d-000000000001", "longest": strings.Repeat("k", maxKey)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				app.user(key)
			}
		})
	}
}

func marshal(b *testing.B, v any) []byte {
	b.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return doc
}
