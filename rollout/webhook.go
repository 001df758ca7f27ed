package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// errNotAsked is what a webhook says that has not answered yet.
var errNotAsked = errors.New("has not answered yet")

// webhooks is what the webhooks before one step of a split have answered lately. They are asked beside the judge, each on its
// own, so that a slow one does not let the answers of the others grow old.
type webhooks struct {
	by http.RoundTripper

	mu    sync.Mutex // protects the following fields
	epoch uint64
	step  int
	// answers has the latest of each webhook, and asking those that have yet to answer, by its URL as the plan has it.
	answers map[string]answer
	asking  map[string]bool
}

// answer is what a webhook said.
type answer struct {
	at  time.Time
	err error // why it is not open; nil if it is
}

// newWebhooks returns webhooks that nobody has asked. by asks them; nil: by HTTP.
func newWebhooks(by http.RoundTripper) *webhooks {
	if by == nil {
		by = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}
	return &webhooks{by: by}
}

// closed is a webhook that has not opened.
type closed struct {
	name string // its URL as the plan has it, which nobody is shown
	text string // a sentence for people
	// isAnswered says that it was asked and did not open.
	isAnswered bool
}

// look returns which of the gates have not opened by now, and which are to be asked now, as of each of which the answer must
// be noted. An answer counts for twice as long as
// the pause between two questions, so that none counts that was given when something else was waited for.
func (w *webhooks) look(q GateQuestion, gates []Gate, hostOf func(Gate) string, now time.Time) (shut []closed, due []Gate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.epoch != q.Epoch || w.step != q.Step {
		w.epoch, w.step, w.answers, w.asking = q.Epoch, q.Step, map[string]answer{}, map[string]bool{}
	}
	for _, g := range gates {
		a, known := w.answers[g.Webhook]
		if !known || now.Sub(a.at) >= 2*gateEvery {
			a = answer{err: errNotAsked}
		}
		if a.err != nil {
			shut = append(shut, closed{g.Webhook, fmt.Sprintf("the webhook at %s %v; it is asked every %s", hostOf(g), a.err,
				health.Duration(gateEvery)), known})
		}
		if now.Sub(a.at) >= gateEvery && !w.asking[g.Webhook] {
			w.asking[g.Webhook] = true
			due = append(due, g)
		}
	}
	return shut, due
}

// note notes an answer, unless another step is asked about by now.
func (w *webhooks) note(q GateQuestion, g Gate, a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.epoch == q.Epoch && w.step == q.Step {
		w.answers[g.Webhook] = a
		delete(w.asking, g.Webhook)
	}
}

// webhooksBefore returns the webhooks that stand before a step.
func (p Plan) webhooksBefore(step int) (gates []Gate) {
	for _, g := range p.GatesBefore(step) {
		if g.Webhook != "" {
			gates = append(gates, g)
		}
	}
	return gates
}

// webhooksAfter returns the webhooks that stand before any step after one, each once.
func (p Plan) webhooksAfter(step int) (gates []Gate) {
	for n := step + 1; n <= p.Last(); n++ {
		for _, g := range p.webhooksBefore(n) {
			if !slices.ContainsFunc(gates, func(o Gate) bool { return o.Webhook == g.Webhook }) {
				gates = append(gates, g)
			}
		}
	}
	return gates
}

// questionOf asks whether the canary may be given a step.
func questionOf(p Plan, s *splitter.State, step int, v health.Verdict) GateQuestion {
	return GateQuestion{Split: s.Split, Canary: s.Canary, Epoch: s.Epoch, Step: step, Weight: p.Step(step).Weight, Verdict: &v}
}

// askWebhooks returns which webhooks before the next step have not opened, and has those asked that are due.
func (c *Controller) askWebhooks(ctx context.Context, h *hearing, v health.Verdict) []closed {
	step := h.trial.state.Progress.Step + 1
	gates := h.trial.plan.webhooksBefore(step)
	if len(gates) == 0 {
		return nil
	}
	w, q := h.split.webhooks, questionOf(*h.trial.plan, h.trial.state, step, v)
	shut, due := w.look(q, gates, func(g Gate) string { return hostOf(c.expand(g.Webhook)) }, time.Now())
	for _, g := range due {
		c.loops.Go(func() { w.note(q, g, answer{err: w.ask(ctx, g, c.expand(g.Webhook), q), at: time.Now()}) })
	}
	return shut
}

// expand fills in the placeholders of a webhook's URL.
func (c *Controller) expand(text string) string {
	if c.opts.Expand == nil {
		return text
	}
	return c.opts.Expand(text)
}

// maxBrief is how many bytes of an error are told to everybody.
const maxBrief = 200

// brief cuts off an error that is long.
func brief(err error) string { return shorten(err.Error()) }

// shorten cuts off a text that is long.
func shorten(text string) string {
	if len(text) > maxBrief {
		text = strings.ToValidUTF8(text[:maxBrief], "") + "…"
	}
	return text
}

// hostOf is what is shown of a URL, whose other parts may be secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "a URL that cannot be read"
	}
	return u.Host
}

// ask asks a webhook, and returns why it does not open. The error has nothing of its URL but the host. A redirect is not
// followed: it could turn the question into a GET, and whatever page says 200 to that would open the gate.
func (w *webhooks) ask(ctx context.Context, g Gate, address string, q GateQuestion) error {
	doc, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("cannot be asked: encode the question: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(g.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(doc))
	if err != nil {
		return errors.New("cannot be asked")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "switchback")
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	resp, err := w.by.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("does not answer: %s", brief(err))
	}
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("does not end its answer: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("answers %d", resp.StatusCode)
	}
	return nil
}
