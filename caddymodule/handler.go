package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/stream"
)

func init() { caddy.RegisterModule(Handler{}) }

// handlerState is what a Handler has once it is provisioned.
type handlerState struct {
	app       *App
	log       *zap.Logger
	attached  *rollout.Attachment
	overrides []compiledOverride
	excluded  caddyhttp.MatcherSets // requests that are no evidence; set by prepare
	unloaded  <-chan struct{}       // closed when this configuration is no longer the one that runs
	server    *caddyhttp.Server     // whose routes this is in
	seen      seen
	format    stream.Format               // what answers are read as; Unknown: they are not
	budget    *budget                     // of rescues; nil if there are none
	toldAt    *atomic.Int64               // when the log was last told of rescues, in Unix seconds
	holds     *rollout.ConversationPolicy // nil without conversations
	// forwarded is for the one warning of a proxy in front that the server does not know.
	forwarded *sync.Once
}

// compiledOverride is an Override ready to be asked on each request.
type compiledOverride struct {
	to       splitter.Override
	users    map[string]struct{}
	matchers caddyhttp.MatcherSets
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.traffic_split",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision loads the variants and joins the split, which lives on through reloads.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.prepare(ctx); err != nil {
		return err
	}
	h.log, h.forwarded, h.unloaded = ctx.Logger(), new(sync.Once), ctx.Done()
	app, err := ctx.App("switchback")
	if err != nil {
		return fmt.Errorf("traffic_split %q: %w", h.Name, err)
	}
	h.app = app.(*App)
	h.seen, h.format = h.newSeen(serverOf(ctx)), h.Classify.format()
	if h.server = serverOf(ctx); h.server == nil {
		h.server = new(caddyhttp.Server)
	}
	if h.Canary == "" && len(h.Variants) > 1 {
		h.log.Warn("no canary is named: no variant is judged, failed back or rescued", zap.String("split", h.Name))
	}
	if h.Rescue.on() {
		h.budget, h.toldAt = budgetOf(h.Name, h.Rescue.AtMost), new(atomic.Int64)
	}
	for _, o := range h.Overrides {
		h.overrides = append(h.overrides, h.compile(o))
	}
	h.holds = h.Conversation.policy()
	if h.attached, err = h.app.controller.Attach(h.definition(), h.app); err != nil {
		return err
	}
	h.attached.Agents = agents{h}
	return nil
}

func (h *Handler) compile(o *Override) compiledOverride {
	c := compiledOverride{to: splitter.OverrideTo(slices.Index(h.variantNames(), o.Variant)), matchers: o.matchers}
	if len(o.Users) > 0 {
		c.users = make(map[string]struct{}, len(o.Users))
		for _, u := range o.Users {
			c.users[u] = struct{}{}
		}
	}
	return c
}

// Cleanup leaves the split. Requests of this generation may still run; what they touch lives on.
func (h *Handler) Cleanup() error {
	if h.attached != nil {
		h.app.controller.Detach(h.attached)
	}
	return nil
}

// ServeHTTP places the request and watches its answer to the last byte.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	who := h.place(r)
	x, d := h.join(who, w, r)
	x.show(d)
	if d.Variant < 0 {
		h.attached.Split().Refuse()
		r.Body = ownBody(r.Body)
		return h.refuse(w, r)
	}
	x.cookie = h.stickyCookie(r, who, x.view)
	x.pinCookie = h.noteTalk(r, who, x, d)
	return x.serve(h.Variants[d.Variant].handler)
}

// noNext ends a variant's route: an answer that nobody gave is an empty one.
var noNext = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
