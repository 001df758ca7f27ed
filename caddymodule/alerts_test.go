package caddymodule

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/alert"
	"github.com/switchback-proxy/switchback/splitter"
)

const alertingSite = "traffic_split s {\ncontact \"#team\"\n" + variantSites + "}"

// hook is a webhook that keeps what it is told, signed with "hush".
type hook struct {
	*httptest.Server
	mu     sync.Mutex // protects the following fields
	told   []alert.Payload
	forged int
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := new(hook)
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// ServeHTTP keeps what is signed.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	want := alert.Signature("hush", r.Header.Get(alert.HeaderTimestamp), body)
	h.mu.Lock()
	defer h.mu.Unlock()
	var p alert.Payload
	if err != nil || !hmac.Equal([]byte(want), []byte(r.Header.Get(alert.HeaderSignature))) || json.Unmarshal(body, &p) != nil {
		h.forged++
		w.WriteHeader(http.StatusForbidden)
		return
	}
	h.told = append(h.told, p)
}

// all returns what came, and fails for what was not signed.
func (h *hook) all(t *testing.T) []alert.Payload {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.forged > 0 {
		t.Fatalf("%d requests are not signed as they should be", h.forged)
	}
	return append([]alert.Payload(nil), h.told...)
}

// alerts has a hook told of everything.
func (h *hook) alerts() string {
	return "alert hook " + h.URL + " {\nseverity info\nsecret {env.HOOK_SECRET}\n}\nalert_link https://dash.example.com/"
}

// changeUntil changes the weights until it is so: a target is told of what follows its first look into the outbox.
func (p *proxy) changeUntil(what string, isSo func() bool) {
	p.t.Helper()
	w := splitter.Weight(0)
	eventually(p.t, what, func() bool {
		w++
		p.setWeight("s", "green", w)
		return isSo()
	})
}

// A webhook is told what happens, in the process's configuration that is in force.
func TestAlerts(t *testing.T) {
	t.Setenv("HOOK_SECRET", "hush")
	first, second := newHook(t), newHook(t)
	p := startProxy(t, alertingSite)
	p.app = first.alerts()
	if err := p.load(alertingSite); err != nil {
		t.Fatal(err)
	}
	p.changeUntil("the first is told", func() bool { return len(first.all(t)) > 0 })
	got := first.all(t)[0]
	if got.Kind != "weights" || got.Split != "s" || got.Actor != "test" || got.Severity != "info" || got.Contact != "#team" ||
		got.Link != "https://dash.example.com/" || !strings.Contains(got.Text, "switchback split why s") {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{`caddy_traffic_split_alert_target_failing{target=hook} 0`}, gathered(t, "alert_target_failing")); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}

	p.app = second.alerts()
	if err := p.load(alertingSite); err != nil {
		t.Fatal(err)
	}
	p.changeUntil("the second is told", func() bool { return len(second.all(t)) > 0 })
	p.setWeight("s", "green", 50_000)
	isNewest := func(a alert.Payload) bool { return a.To["green"] == 50_000 }
	eventually(t, "the second is told again", func() bool { return slices.ContainsFunc(second.all(t), isNewest) })
	if slices.ContainsFunc(first.all(t), isNewest) { // what it was being told meanwhile it may have been told to the end
		t.Error("the first was told of what happened after it was replaced")
	}
}

// A configuration that starts and is given up leaves the targets as they were.
func TestAlertsAfterAFailedReload(t *testing.T) {
	t.Setenv("HOOK_SECRET", "hush")
	kept, lost := newHook(t), newHook(t)
	p := startProxy(t, alertingSite)
	p.app = kept.alerts()
	if err := p.load(alertingSite); err != nil {
		t.Fatal(err)
	}
	p.changeUntil("it is told", func() bool { return len(kept.all(t)) > 0 })
	p.setWeight("s", "green", 50_000) // once it is told of that nothing is left that another could be told of
	eventually(t, "it is told of everything", func() bool {
		return slices.ContainsFunc(kept.all(t), func(a alert.Payload) bool { return a.To["green"] == 50_000 })
	})
	p.app = lost.alerts()
	nowhere := alertingSite + "\n}\nhttp://nowhere.test {\nbind unix//no/such/folder/http.sock"
	for range 4 { // apps start in any order
		if err := p.load(nowhere); err == nil {
			t.Fatal("loaded what cannot listen")
		}
	}
	before := len(kept.all(t))
	p.changeUntil("it is told again", func() bool { return len(kept.all(t)) > before })
	if n := len(lost.all(t)); n != 0 {
		t.Errorf("the target of a configuration that was given up was told %d times", n)
	}
}

// What is wrong with a target is an error at load, without anything secret in it.
func TestAlertsAreRefused(t *testing.T) {
	t.Setenv("NO_URL", "t0ken0123")
	t.Setenv("SLAK", "slak://t0ken0123@x")
	t.Setenv("BAD", "slack://t0ken0123@x")
	t.Setenv("HOOK_SECRET", "hush")
	p := startProxy(t, alertingSite)
	for in, want := range map[string]string{
		"alert chat {env.NOT_SET}": "alerts[0].url: placeholder {env.NOT_SET} is empty or not set",
		"alert chat {env.NO_URL}":  `alert "chat": its URL cannot be read`,
		"alert chat {env.SLAK}":    `alert "chat": its URL begins with slak://`,
		"alert chat {env.BAD}":     `alert "chat": its URL is none that slack takes`,
		"alert chat https://example.com/ {\nsecret {env.NOT_SET}\n}":     "alerts[0].secret: placeholder {env.NOT_SET}",
		"alert chat slack://{env.BAD} {\nsecret {env.HOOK_SECRET}\n}":    `alert "chat": a secret goes with http`,
		"alert chat https://example.com/\nalert_link {env.NO_URL}":       `alert_link "t0ken0123": it must begin with http`,
		"alert chat https://example.com/ {\ntemplate \"{{.Nobody}}\"\n}": "can't evaluate field Nobody",
	} {
		p.app = in
		err := p.load(alertingSite)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", in, err, want)
		} else if strings.Contains(err.Error(), "t0ken") && !strings.Contains(in, "alert_link") {
			t.Errorf("%s: the error has the token in it: %v", in, err)
		}
	}
}

// collect is a handler of Caddy's events that keeps them.
type collect struct{}

var (
	collectedMu sync.Mutex // protects collected
	collected   []caddy.Event
)

func init() { caddy.RegisterModule(collect{}) }

// CaddyModule returns the Caddy module information.
func (collect) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.collect", New: func() caddy.Module { return new(collect) }}
}

// UnmarshalCaddyfile takes nothing.
func (*collect) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

// Handle keeps an event.
func (*collect) Handle(_ context.Context, e caddy.Event) error {
	collectedMu.Lock()
	defer collectedMu.Unlock()
	collected = append(collected, e)
	return nil
}

// Caddy's event app is told of each applied State, in the newest configuration's context.
func TestCaddyEvents(t *testing.T) {
	collectedMu.Lock()
	collected = nil // those of a run before, as with -count=2
	collectedMu.Unlock()
	p := startProxyWith(t, "events {\non traffic_split.weights collect\n}", alertingSite)
	if err := p.load(alertingSite + "\nheader X-New 1"); err != nil {
		t.Fatal(err)
	}
	p.setWeight("s", "green", 2*splitter.Full/100)
	eventually(t, "the event is emitted", func() bool {
		collectedMu.Lock()
		defer collectedMu.Unlock()
		return len(collected) > 0
	})
	collectedMu.Lock()
	defer collectedMu.Unlock()
	data := collected[0].Data
	state := p.controller().Split("s").State()
	want := map[string]any{"id": state.ID, "split": "s", "kind": "weights", "revision": state.Revision, "epoch": state.Epoch,
		"actor": "test", "reason": "", "from": data["from"], "to": state.Weights()}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if from := data["from"].(map[string]splitter.Weight); from["green"] == state.Weights()["green"] {
		t.Errorf("from: got %v, want the weights before", from)
	}
}
