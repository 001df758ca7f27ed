package caddymodule

import (
	"context"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// seen is how a split's placements are seen from outside: what can be made once is.
type seen struct {
	prefix    string // of the placeholders: http.traffic_split.NAME.
	variable  string // for matchers: traffic_split_NAME
	accessLog bool   // whether anybody prints the fields
	variants  []any  // the names, boxed, by index
}

// newSeen prepares what h shows. Without a server, as in a test, it shows everything.
func (h *Handler) newSeen(server *caddyhttp.Server) seen {
	s := seen{
		prefix:    "http.traffic_split." + h.Name + ".",
		variable:  "traffic_split_" + h.Name,
		accessLog: server == nil || server.Logs != nil,
	}
	for _, name := range h.variantNames() {
		s.variants = append(s.variants, name)
	}
	return s
}

// variant returns the variant's name, boxed; empty for nobody.
func (s *seen) variant(i int) any {
	if i < 0 {
		return ""
	}
	return s.variants[i]
}

// show tells placeholders, matchers and the access log where the request was placed; never the key, nor its bucket.
func (x *exchange) show(d splitter.Decision) {
	h, ctx := x.handler, x.client
	x.reason = d.Reason
	if x.repl != nil {
		x.repl.Map(x.placeholder)
	}
	caddyhttp.SetVar(ctx, h.seen.variable, h.seen.variant(d.Variant))
	if !h.seen.accessLog {
		return
	}
	if extra, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		x.shown = &shown{split: h.Name, variant: x.variant(), reason: d.Reason.String(), epoch: x.view.Epoch()}
		x.shown.log(ctx, extra)
	}
}

// placeholder answers {http.traffic_split.NAME.variant} and .reason.
func (x *exchange) placeholder(key string) (any, bool) {
	what, ours := strings.CutPrefix(key, x.handler.seen.prefix)
	switch {
	case !ours:
		return nil, false
	case what == "variant":
		return x.variant(), true
	case what == "reason":
		return x.reason.String(), true
	}
	return nil, false
}

// showRescue tells placeholders and matchers that this variant serves the request after all.
func (x *exchange) showRescue(d splitter.Decision) {
	seen := &x.handler.seen
	if x.repl != nil {
		x.repl.Set(seen.prefix+"variant", seen.variant(d.Variant))
	}
	caddyhttp.SetVar(x.client, seen.variable, seen.variant(d.Variant))
}

// shownKey is where a request's placements are kept for the access log.
const shownKey = "traffic_split"

// shown is one placement, and what became of it, as the access log has it. A request that passes several splits has a
// chain of them.
type shown struct {
	split, variant, reason string
	epoch                  uint64
	ended                  bool // whether the following are known; a refused request has none of them
	outcome                health.Outcome
	code                   string // the protocol's own word for how the answer ended
	rescuedBy              string // who answered in the variant's place; empty if nobody had to
	rescue                 health.Outcome
	before                 *shown
}

func (s *shown) log(ctx context.Context, extra *caddyhttp.ExtraLogFields) {
	s.before, _ = caddyhttp.GetVar(ctx, shownKey).(*shown)
	caddyhttp.SetVar(ctx, shownKey, s)
	extra.Set(zap.Object(shownKey, s))
}

// MarshalLogObject nests the fields by split.
func (s *shown) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for p := s; p != nil; p = p.before {
		if err := enc.AddObject(p.split, zapcore.ObjectMarshalerFunc(p.fields)); err != nil {
			return err
		}
	}
	return nil
}

func (s *shown) fields(enc zapcore.ObjectEncoder) error {
	enc.AddString("variant", s.variant)
	enc.AddString("reason", s.reason)
	enc.AddUint64("epoch", s.epoch)
	if !s.ended {
		return nil
	}
	enc.AddString("class", s.outcome.Class.String())
	enc.AddString("cause", s.outcome.Cause.String())
	if s.code != "" {
		enc.AddString("code", s.code)
	}
	enc.AddUint64("bytes", s.outcome.Bytes)
	if s.outcome.Answered && !s.outcome.Rescued {
		enc.AddDuration("ttfb", s.outcome.TTFB)
	}
	if s.rescuedBy != "" {
		enc.AddString("rescued_by", s.rescuedBy)
		enc.AddString("rescue_class", s.rescue.Class.String())
		enc.AddString("rescue_cause", s.rescue.Cause.String())
	}
	if s.outcome.TokensIn > 0 || s.outcome.TokensOut > 0 {
		enc.AddUint64("tokens_in", s.outcome.TokensIn)
		enc.AddUint64("tokens_out", s.outcome.TokensOut)
	}
	return nil
}
