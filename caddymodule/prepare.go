package caddymodule

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// What a killed split answers unless configured otherwise.
const (
	defaultKillStatus     = http.StatusServiceUnavailable
	defaultKillBody       = "Service temporarily unavailable. Please try again later."
	defaultKillRetryAfter = caddy.Duration(30 * time.Second)
)

// prepare makes a configuration usable: it replaces placeholders, fills in defaults, checks everything and loads the
// variants' routes and the overrides' matchers. Afterwards Keys are direct, Anonymous, Stable and KillResponse are set,
// and every variant has its handler.
func (h *Handler) prepare(ctx caddy.Context) error {
	if err := h.load(ctx); err != nil {
		return fmt.Errorf("traffic_split %q: %w", h.Name, err)
	}
	h.warnOfLoggedKeys(ctx)
	return nil
}

func (h *Handler) load(ctx caddy.Context) error {
	if err := h.expand(newExpander()); err != nil {
		return err
	}
	if err := h.validate(expanded); err != nil {
		return err
	}
	if err := h.checkHeaderKeys(serverOf(ctx)); err != nil {
		return err
	}
	h.setDefaults()
	if err := h.loadVariants(ctx); err != nil {
		return err
	}
	if err := h.loadMatchers(ctx); err != nil {
		return err
	}
	return h.loadExcluded(ctx)
}

// expand replaces the placeholders of versions, users, the contact and the headers of checks.
func (h *Handler) expand(e expander) error {
	fields := map[string]*string{"contact": &h.Contact}
	for i, v := range h.Variants {
		fields[item("variants", i)+".version"] = &v.Version
	}
	for i, o := range h.Overrides {
		for j := range o.Users {
			fields[item("overrides", i)+"."+item("users", j)] = &o.Users[j]
		}
	}
	for i, c := range h.Checks {
		c.fields(item("checks", i), fields)
	}
	return e.all(fields)
}

func (h *Handler) setDefaults() {
	h.Stable = h.stable()
	if h.Anonymous == "" {
		h.Anonymous = anonymousCookie
	}
	for i := range h.Keys {
		h.Keys[i] = h.Keys[i].direct()
	}
	if h.FailingStatuses == nil {
		h.FailingStatuses = []int{5}
	}
	if h.KillResponse == nil {
		h.KillResponse = new(KillResponse)
	}
	h.KillResponse.setDefaults()
	if h.Rescue == nil {
		h.Rescue = new(Rescue)
	}
	h.Rescue.setDefaults(h.FailingStatuses)
	h.Conversation.compile()
	for _, c := range h.Checks {
		c.setDefaults()
	}
}

func (k *KillResponse) setDefaults() {
	if k.Status == 0 {
		k.Status = defaultKillStatus
	}
	if k.Body == "" {
		k.Body = defaultKillBody
	}
	if k.RetryAfter == 0 {
		k.RetryAfter = defaultKillRetryAfter
	}
}

func (h *Handler) loadVariants(ctx caddy.Context) error {
	for i, v := range h.Variants {
		loaded, err := ctx.LoadModule(v, "HandlersRaw")
		if err != nil {
			return wrong(item("variants", i)+".handle", "variant %q: %w", v.Name, err)
		}
		modules := loaded.([]any)
		handlers := make([]caddyhttp.MiddlewareHandler, len(modules))
		for j, m := range modules {
			handler, ok := m.(caddyhttp.MiddlewareHandler)
			if !ok {
				return wrong(item("variants", i)+".handle", "variant %q: module %T is not an HTTP handler", v.Name, m)
			}
			handlers[j] = handler
		}
		v.handler, v.proxies = newChain(handlers), proxiesOf(handlers)
		v.maxStream = maxStream(v.proxies)
		v.plain, v.traced, v.retries = isPlain(v.handler), isTraced(v.proxies), mayRetry(v.handler)
	}
	return nil
}

func (h *Handler) loadMatchers(ctx caddy.Context) error {
	for i, o := range h.Overrides {
		if len(o.MatcherSetsRaw) == 0 {
			continue
		}
		loaded, err := ctx.LoadModule(o, "MatcherSetsRaw")
		if err == nil {
			err = o.matchers.FromInterface(loaded)
		}
		if err != nil {
			return wrong(item("overrides", i)+".match", "override of %q: %w", o.Variant, err)
		}
	}
	return nil
}

func (h *Handler) loadExcluded(ctx caddy.Context) error {
	if len(h.ExcludeRaw) == 0 {
		return nil
	}
	loaded, err := ctx.LoadModule(h, "ExcludeRaw")
	if err == nil {
		err = h.excluded.FromInterface(loaded)
	}
	if err != nil {
		return wrong("exclude_from_evidence", "exclude_from_evidence: %w", err)
	}
	return nil
}

// serverOf returns the server whose routes are being loaded; nil if there is none, in a test.
func serverOf(ctx caddy.Context) *caddyhttp.Server {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return server
}
