package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// hook is a webhook that answers with a status, or with an error if that is zero.
type hook struct {
	mu     sync.Mutex
	status int
	hangs  bool
	asked  []rollout.GateQuestion
	header []http.Header
	urls   []string
	at     []time.Time
}

func (k *hook) says(status int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = status
}

func (k *hook) questions() []rollout.GateQuestion {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]rollout.GateQuestion{}, k.asked...)
}

func (k *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	doc, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var q rollout.GateQuestion
	if err := json.Unmarshal(doc, &q); err != nil {
		return nil, err
	}
	k.asked, k.header, k.urls, k.at = append(k.asked, q), append(k.header, r.Header), append(k.urls, r.URL.String()), append(k.at, time.Now())
	if k.hangs {
		k.mu.Unlock()
		<-r.Context().Done()
		k.mu.Lock()
		return nil, r.Context().Err()
	}
	if k.status == 0 {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	if k.status/100 == 3 {
		w.Header().Set("Location", "https://elsewhere.example/login")
	}
	w.WriteHeader(k.status)
	return w.Result(), nil
}

const gateURL = "https://user:hunter2@gate.example:8443/secret-path?token=abc"

// gated is a plan with a webhook before everything.
func gated() rollout.Plan {
	plan := planOf(10, 100)
	plan.Watch = health.Duration(time.Hour)
	plan.Gates = []rollout.Gate{{Webhook: "{env.GATE_URL}", Timeout: health.Duration(10 * time.Second)}}
	return plan
}

func asking(k *hook) func(*rollout.Options) {
	return func(o *rollout.Options) {
		*o = rollout.Asking(*o, k)
		o.Expand = func(text string) string { return strings.ReplaceAll(text, "{env.GATE_URL}", gateURL) }
	}
}

// A webhook keeps a step back until it answers 2xx; people are told once.
func TestWebhookOpens(t *testing.T) {
	for name, status := range map[string]int{"an error": 500, "no connection": 0, "a redirect": 302} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				k, def := &hook{status: status}, rolling(gated())
				fleet := []*proxy{start(t, s, "proxy-1", def, asking(k)), start(t, s, "proxy-2", def, asking(k))}
				serve(15, healthy, fleet...)
				begins(t, s, def)
				serve(100, healthy, fleet...)
				if got := k.questions(); len(got) < 3 || len(got) > 4 {
					t.Fatalf("asked %d times in 100 s, want each 30 s", len(got))
				}
				q := k.questions()[0]
				if q.Split != "assistant" || q.Canary != "green" || q.Step != 2 || q.Weight != 100*percent || q.Verdict.Result != health.Pass {
					t.Errorf("asked %+v", q)
				}
				if k.urls[0] != "https://user:hunter2@gate.example:8443/secret-path?token=abc" || k.header[0].Get("Authorization") == "" {
					t.Errorf("asked %q with %v", k.urls[0], k.header[0])
				}
				for _, p := range fleet {
					st := p.status(t)
					if got := p.waits(t); !cmp.Equal(got, []rollout.WaitFor{rollout.WaitWebhook}) {
						t.Errorf("%s waits for %v", p.opts.Instance, got)
					}
					told := encode(t, st.Plan.Waits)
					if !strings.Contains(told, "gate.example:8443") || strings.Contains(told, "hunter2") || strings.Contains(told, "secret") {
						t.Errorf("told: %s", told)
					}
				}
				wantKinds(t, s, "created", "started", "waiting")
				k.says(204)
				serve(35, healthy, fleet...)
				wantKinds(t, s, "created", "started", "waiting", "step")
			})
		})
	}
}

// A webhook that hangs holds up nothing but its step, and ends with the instance.
func TestWebhookHangs(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		k, def := &hook{hangs: true}, rolling(gated())
		p := start(t, s, "proxy-1", def, asking(k))
		serve(15, healthy, p)
		begins(t, s, def)
		serve(30, healthy, p)
		before := p.status(t).Plan.Tally.Baked
		serve(8, healthy, p)
		if got := p.status(t).Plan.Tally.Baked; got < before+4 {
			t.Errorf("%d s were baked in 8 s", got-before)
		}
		within(t, 40, "another question", healthy, func() bool { return len(k.questions()) == 2 }, p)
		began := time.Now()
		p.close(t)
		if took := time.Since(began); took > time.Second {
			t.Errorf("closing took %v", took)
		}
	})
}

// slowHooks answer yes after 40 s each.
type slowHooks struct{ hook }

func (k *slowHooks) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(40 * time.Second):
		return k.hook.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// Webhooks that all take long are open together, as none waits for the answer of another one: neither for a step, nor for
// somebody who promotes by hand.
func TestSlowWebhooksOpenTogether(t *testing.T) {
	def := rolling(gated())
	def.Plan.Gates = nil
	for _, host := range []string{"one", "two", "three"} {
		def.Plan.Gates = append(def.Plan.Gates, rollout.Gate{Webhook: "https://" + host + ".example", Timeout: health.Duration(time.Minute)})
	}
	hooked := func(o *rollout.Options) { *o = rollout.Asking(*o, &slowHooks{hook{status: 204}}) }
	t.Run("a step", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *embedded.Store) {
			p := start(t, s, "proxy-1", def, hooked)
			serve(15, healthy, p)
			begins(t, s, def)
			within(t, 70, "step 2", healthy, func() bool { return atStep(t, s) == 2 }, p)
		})
	})
	t.Run("a promotion by hand", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *embedded.Store) {
			p := start(t, s, "proxy-1", def, hooked)
			serve(15, healthy, p)
			begins(t, s, def)
			serve(15, healthy, p)
			began := time.Now()
			_, err := p.PromoteNow(t.Context(), "assistant", rollout.PromoteRequest{}, alice)
			if took := time.Since(began); took > 45*time.Second || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("asked for %s, want 40s: %v", took, err)
			}
		})
	})
}

// What a webhook said of one step counts for no other, nor for long.
func TestWebhookIsAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := gated()
		plan.Steps = planOf(10, 25, 100).Steps
		plan.Gates = append(plan.Gates, rollout.Gate{Approval: true, Before: 25 * percent})
		k, def := &hook{status: 200}, rolling(plan)
		p := start(t, s, "proxy-1", def, asking(k))
		serve(15, healthy, p)
		begins(t, s, def)
		serve(45, healthy, p) // open, and waits for a person
		if got := p.waits(t); !cmp.Equal(got, []rollout.WaitFor{rollout.WaitApproval}) {
			t.Fatalf("waits for %v", got)
		}
		k.says(500)
		serve(35, healthy, p)
		if got := p.waits(t); !cmp.Equal(got, []rollout.WaitFor{rollout.WaitApproval, rollout.WaitWebhook}) {
			t.Errorf("when it has closed: waits for %v", got)
		}
		k.says(200)
		serve(35, healthy, p)
		if _, err := p.ApproveStep(t.Context(), "assistant", rollout.StepRequest{Step: 2}, alice); err != nil {
			t.Fatal(err)
		}
		n := len(k.questions())
		within(t, 60, "step 3", healthy, func() bool { return atStep(t, s) == 3 }, p)
		if got := k.questions()[n:]; len(got) == 0 || got[len(got)-1].Step != 3 {
			t.Errorf("asked %+v, want of step 3 as well", got)
		}
		wantKinds(t, s, "created", "started", "waiting", "waiting", "approved", "step", "step")
	})
}

// Whoever gives the canary everything passes over no webhook that stands on the way.
func TestPromotionAsksAllWebhooksOnTheWay(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := gated()
		plan.Steps = planOf(10, 25, 50, 100).Steps
		plan.Gates[0].Before = 50 * percent
		plan.Gates = append(plan.Gates, rollout.Gate{Approval: true, Before: 25 * percent})
		k, def := &hook{status: 500}, rolling(plan)
		p := start(t, s, "proxy-1", def, asking(k))
		serve(15, healthy, p)
		begins(t, s, def)
		serve(30, healthy, p)
		_, err := p.PromoteNow(t.Context(), "assistant", rollout.PromoteRequest{}, alice)
		if !errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), "gate.example:8443 answers 500") {
			t.Errorf("a webhook before 50%% says 500: got %v", err)
		}
		k.says(204)
		if _, err := p.PromoteNow(t.Context(), "assistant", rollout.PromoteRequest{}, alice); err != nil {
			t.Fatal(err)
		}
		for _, q := range k.questions() {
			if q.Step != 4 || q.Weight != 100*percent {
				t.Errorf("asked %+v, want what is to be given", q)
			}
		}
		wantKinds(t, s, "created", "started", "waiting", "step")
	})
}
