package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// show tells placeholders, matchers and the access log where the request was placed; never the key, nor its bucket.
func (h *Handler) show(r *http.Request, d splitter.Decision, view *rollout.View) {
	s := shown{split: h.Name, reason: d.Reason.String(), epoch: view.Epoch()}
	if d.Variant >= 0 {
		s.variant = h.Variants[d.Variant].Name
	}
	ctx := r.Context()
	if repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set(h.seen.variantPlaceholder, s.variant)
		repl.Set(h.seen.reasonPlaceholder, s.reason)
	}
	caddyhttp.SetVar(ctx, h.seen.variable, s.variant)
	if extra, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		s.log(r, extra)
	}
}

// shownKey is where a request's placements are kept for the access log.
const shownKey = "traffic_split"

// shown is one placement as the access log has it. A request that passes several splits has a chain of them.
type shown struct {
	split, variant, reason string
	epoch                  uint64
	before                 *shown
}

func (s *shown) log(r *http.Request, extra *caddyhttp.ExtraLogFields) {
	s.before, _ = caddyhttp.GetVar(r.Context(), shownKey).(*shown)
	kept := *s
	caddyhttp.SetVar(r.Context(), shownKey, &kept)
	extra.Set(zap.Object(shownKey, &kept))
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
	return nil
}
