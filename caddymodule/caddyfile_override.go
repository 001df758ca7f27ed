package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// parseOverride parses one override. Users and matchers are alternatives, so each becomes an override of its own.
func (p *splitParser) parseOverride(d *caddyfile.Dispenser) error {
	start := d.Token()
	variant, err := parseArg(d, "a variant")
	if err != nil {
		return err
	}
	users := &writtenOverride{Override: Override{Variant: variant}}
	match := &writtenOverride{Override: Override{Variant: variant}}
	err = parseBlock(d, "override", map[string]subDirective{
		"users": repeated(users.parseUsers),
		"match": repeated(func(d *caddyfile.Dispenser) error { return match.parseMatch(p.WithDispenser(d)) }),
	})
	if err != nil {
		return err
	}
	if users.at == nil && match.at == nil {
		return errAt([]caddyfile.Token{start}, "override of %q is empty: it needs users or match", variant)
	}
	p.addOverride(users, "users", start)
	p.addOverride(match, "match", start)
	return nil
}

// writtenOverride is an override and where it says what it goes by; nil if it does not say.
type writtenOverride struct {
	Override
	at *caddyfile.Token
}

// addOverride adds an override that stands at start, unless nothing of it was written.
func (p *splitParser) addOverride(o *writtenOverride, by string, start caddyfile.Token) {
	if o.at == nil {
		return
	}
	path := item("overrides", len(p.split.Overrides))
	p.at[path], p.at[path+"."+by] = start, *o.at
	p.split.Overrides = append(p.split.Overrides, &o.Override)
}

func (o *writtenOverride) parseUsers(d *caddyfile.Dispenser) error {
	at := d.Token()
	o.at = &at
	users := d.RemainingArgs()
	if len(users) == 0 {
		return d.Errf("users of the override of %q needs at least one key", o.Variant)
	}
	o.Users = append(o.Users, users...)
	return nil
}

// parseMatch adds one matcher set for each argument.
func (o *writtenOverride) parseMatch(d httpcaddyfile.Helper) error {
	at := d.Token()
	o.at = &at
	if d.CountRemainingArgs() == 0 {
		return d.Errf("match of the override of %q needs a matcher, such as @qa", o.Variant)
	}
	for d.CountRemainingArgs() > 0 {
		set, ok, err := d.MatcherToken()
		switch {
		case err != nil:
			return d.Errf("override of %q: matcher %q is not defined in this site", o.Variant, d.Val())
		case !ok:
			return d.Errf("override of %q: %q is not a matcher; it must be @name or /path", o.Variant, d.Val())
		case set == nil:
			return d.Errf("override of %q: matcher %q matches every request; use a weight of 100%%", o.Variant, d.Val())
		}
		o.MatcherSetsRaw = append(o.MatcherSetsRaw, set)
	}
	return nil
}
