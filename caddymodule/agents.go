package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// agents asks the variants of a handler. What it asks goes through their routes, counts nowhere, and cannot be asked from
// outside: it comes by no listener.
type agents struct{ handler *Handler }

// errNoVariant means that a variant is none of this proxy's file.
var errNoVariant = errors.New("this proxy's file has no such variant")

// Dead returns why none of a variant's upstreams can be reached, having tried now for at most a second; nil if one can, or if
// it is not known for sure.
func (a agents) Dead(ctx context.Context, variant string) error {
	v := a.handler.variant(variant)
	if v == nil {
		return nil
	}
	upstreams, known := a.handler.upstreamsOf(ctx, v)
	if !known || len(upstreams) == 0 {
		return nil
	}
	for _, u := range upstreams {
		if !isRefused(u.Err) {
			return nil
		}
	}
	return fmt.Errorf("none of the %d upstreams of %s can be reached: %s: %w", len(upstreams), variant, upstreams[0].Address,
		upstreams[0].Err)
}

// Upstreams tries to reach each upstream of a variant, for at most a second. It returns none if they are not known.
func (a agents) Upstreams(ctx context.Context, variant string) []rollout.Upstream {
	v := a.handler.variant(variant)
	if v == nil {
		return nil
	}
	upstreams, _ := a.handler.upstreamsOf(ctx, v)
	return upstreams
}

// Check makes all configured checks and the probes at once, in their order.
func (a agents) Check(ctx context.Context, variant string) []rollout.Checked {
	h := a.handler
	v := h.variant(variant)
	if v == nil {
		return []rollout.Checked{{Name: variant, Err: errNoVariant}}
	}
	asked := append([]*Check(nil), h.Checks...)
	for range valueOr(h.Probes, defaultProbes) {
		asked = append(asked, h.probe())
	}
	checked := make([]rollout.Checked, len(asked))
	var asking sync.WaitGroup
	for i, c := range asked {
		asking.Go(func() {
			began := time.Now()
			err := h.inquire(ctx, v, c)
			checked[i] = rollout.Checked{Name: c.name(), Err: err, Took: time.Since(began)}
			if n := i - len(h.Checks); n >= 0 {
				checked[i].Name = fmt.Sprintf("probe %d, %s", n+1, c.name())
			}
		})
	}
	asking.Wait()
	return checked
}

// Ask places a request as that of a user with the key, and lets the variant answer it. It returns which one that is, and
// what is wrong with its answer.
func (a agents) Ask(ctx context.Context, key string) (variant string, err error) {
	h := a.handler
	table := h.attached.View().Table
	d := table.Decide(splitter.Request{Key: key, User: h.app.drillUser(key), Override: h.overrideOf(key)})
	if d.Variant < 0 {
		return "", fmt.Errorf("nobody serves this user: %s", d.Reason)
	}
	v := h.Variants[d.Variant]
	return v.Name, h.inquire(ctx, v, h.probe())
}

// UserHash returns what a State has of a user who takes part in a drill; empty while the fleet's secret is not known.
func (a agents) UserHash(key string) string { return a.handler.app.drillUser(key) }

// overrideOf returns the override that lists a user.
func (h *Handler) overrideOf(key string) splitter.Override {
	for i := range h.overrides {
		if _, listed := h.overrides[i].users[key]; listed {
			return h.overrides[i].to
		}
	}
	return 0
}

var _ rollout.Agents = agents{}
