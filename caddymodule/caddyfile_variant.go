package caddymodule

import (
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/switchback-proxy/switchback/splitter"
)

// parseVariant parses one variant: its own sub-directives, and a route that is either a handle block or, by all the
// rest, a reverse_proxy.
func (p *splitParser) parseVariant(d *caddyfile.Dispenser) error {
	whole := d.NextSegment()
	d.Reset()
	d.Next()
	v := new(Variant)
	path := item("variants", len(p.split.Variants))
	p.at.mark(path, d)
	p.split.Variants = append(p.split.Variants, v)

	if err := parseVariantHead(d, v); err != nil {
		return err
	}
	body := variantBody{upstreams: d.RemainingArgsAsTokens(), whole: whole}
	if err := body.collect(d, v.Name); err != nil {
		return err
	}
	if err := body.parseVersion(v, p.at, path+".version"); err != nil {
		return err
	}
	var err error
	v.HandlersRaw, err = p.parseRoute(v.Name, body)
	return err
}

func parseVariantHead(d *caddyfile.Dispenser, v *Variant) (err error) {
	const syntax = "a name and a weight: variant <name> <weight> [<upstreams...>]"
	if v.Name, err = parseArg(d, syntax); err != nil {
		return err
	}
	if !d.NextArg() {
		return d.Errf("variant %q needs a weight, such as 1%%", v.Name)
	}
	if v.Weight, err = splitter.ParseWeight(d.Val()); err != nil {
		return d.Errf("variant %q: %w", v.Name, err)
	}
	return nil
}

// variantBody is a variant's tokens, sorted by what they are for.
type variantBody struct {
	whole     caddyfile.Segment // everything, from the word variant to the closing brace
	upstreams []caddyfile.Token
	version   caddyfile.Segment
	handle    caddyfile.Segment
	proxy     caddyfile.Segment // sub-directives of reverse_proxy
}

// collect sorts the block that follows in d.
func (b *variantBody) collect(d *caddyfile.Dispenser, variant string) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		segment := d.NextSegment()
		own := map[string]*caddyfile.Segment{"version": &b.version, "handle": &b.handle}[segment.Directive()]
		if own == nil {
			b.proxy = append(b.proxy, segment...)
			continue
		}
		if *own != nil {
			return errAt(segment, "%s of variant %q is given twice; it may be given once", segment.Directive(), variant)
		}
		*own = segment
	}
	return nil
}

func (b *variantBody) parseVersion(v *Variant, at positions, path string) error {
	if b.version == nil {
		return nil
	}
	d := caddyfile.NewDispenser(b.version)
	d.Next()
	at.mark(path, d)
	if !d.AllArgs(&v.Version) || v.Version == "" {
		return d.Errf("version of variant %q needs one text, such as {env.DIGEST}", v.Name)
	}
	return nil
}

func (p *splitParser) parseRoute(variant string, b variantBody) ([]json.RawMessage, error) {
	switch {
	case b.handle == nil:
		return p.parseProxy(variant, b)
	case len(b.upstreams) > 0:
		return nil, errAt(b.upstreams, "variant %q has the upstream %q and a handle block; it must be one or the other",
			variant, b.upstreams[0].Text)
	case len(b.proxy) > 0:
		return nil, errAt(b.proxy, "variant %q has %s of reverse_proxy and a handle block; it must be one or the other",
			variant, b.proxy.Directive())
	}
	return p.parseHandle(variant, b.handle)
}

// parseProxy parses upstreams and sub-directives as those of a reverse_proxy.
func (p *splitParser) parseProxy(variant string, b variantBody) ([]json.RawMessage, error) {
	d := caddyfile.NewDispenser(b.asProxy())
	proxy := new(reverseproxy.Handler)
	if err := proxy.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	if err := proxy.FinalizeUnmarshalCaddyfile(p.WithDispenser(d)); err != nil {
		return nil, err
	}
	if len(proxy.Upstreams) == 0 && proxy.DynamicUpstreamsRaw == nil {
		return nil, errAt(b.whole, "variant %q has nowhere to go: it needs upstreams, to, dynamic or a handle block",
			variant)
	}
	return []json.RawMessage{caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil)}, nil
}

// asProxy returns the tokens as those of a reverse_proxy: a word in the place of its name (reverse_proxy skips it),
// upstreams, and a block of what is its own.
func (b *variantBody) asProxy() []caddyfile.Token {
	tokens := slices.Concat(b.whole[:1], b.upstreams)
	if len(b.proxy) == 0 {
		return tokens
	}
	head := 3 + len(b.upstreams) // variant, its name and weight, upstreams
	return slices.Concat(tokens, b.whole[head:head+1], b.proxy, b.whole[len(b.whole)-1:])
}

// parseHandle parses a handle block. Routes that apply to every request become one chain of handlers, for a subroute
// would be linked anew for each request.
func (p *splitParser) parseHandle(variant string, block caddyfile.Segment) ([]json.RawMessage, error) {
	parsed, err := httpcaddyfile.ParseSegmentAsSubroute(p.WithDispenser(caddyfile.NewDispenser(block)))
	if err != nil {
		return nil, err
	}
	subroute := parsed.(*caddyhttp.Subroute)
	if len(subroute.Routes) == 0 {
		return nil, errAt(block, "handle of variant %q is empty", variant)
	}
	if handlers, ok := flatten(subroute); ok {
		return handlers, nil
	}
	return []json.RawMessage{caddyconfig.JSONModuleObject(subroute, "handler", "subroute", nil)}, nil
}

// flatten returns the handlers of a subroute that runs them all for every request. A group of one route excludes
// nothing: Caddy puts each rewrite into one.
func flatten(s *caddyhttp.Subroute) ([]json.RawMessage, bool) {
	var handlers []json.RawMessage
	groups := map[string]bool{"": false}
	for i, route := range s.Routes {
		isLast := i == len(s.Routes)-1
		if len(route.MatcherSetsRaw) > 0 || groups[route.Group] || route.Terminal && !isLast {
			return nil, false
		}
		groups[route.Group] = route.Group != ""
		handlers = append(handlers, route.HandlersRaw...)
	}
	return handlers, s.Errors == nil
}

// errAt is an error at the first of the tokens.
func errAt(tokens []caddyfile.Token, format string, args ...any) error {
	d := caddyfile.NewDispenser(tokens)
	d.Next()
	return d.Errf(format, args...)
}
