package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// parseOverride parses one override. Users and matchers are alternatives, so each becomes an override of its own.
func (p *splitParser) parseOverride(d *caddyfile.Dispenser) error {
	start := *d
	variant, err := parseArg(d, "a variant")
	if err != nil {
		return err
	}
	users := &Override{Variant: variant}
	match := &Override{Variant: variant}
	var usersAt, matchAt caddyfile.Dispenser
	err = parseBlock(d, "override", map[string]subDirective{
		"users": repeated(func(d *caddyfile.Dispenser) error {
			usersAt = *d
			return users.parseUsers(d)
		}),
		"match": repeated(func(d *caddyfile.Dispenser) error {
			matchAt = *d
			return p.parseMatch(d, match)
		}),
	})
	if err != nil {
		return err
	}
	if users.Users == nil && match.MatcherSetsRaw == nil {
		return start.Errf("override of %q is empty: it needs users or match", variant)
	}
	if users.Users != nil {
		p.addOverride(users, "users", &start, &usersAt)
	}
	if match.MatcherSetsRaw != nil {
		p.addOverride(match, "match", &start, &matchAt)
	}
	return nil
}

// addOverride adds an override that stands at start, and what it goes by at d.
func (p *splitParser) addOverride(o *Override, by string, start, d *caddyfile.Dispenser) {
	path := item("overrides", len(p.split.Overrides))
	p.at.mark(path, start)
	p.at.mark(path+"."+by, d)
	p.split.Overrides = append(p.split.Overrides, o)
}

func (o *Override) parseUsers(d *caddyfile.Dispenser) error {
	users := d.RemainingArgs()
	if len(users) == 0 {
		return d.Errf("users of the override of %q needs at least one key", o.Variant)
	}
	o.Users = append(o.Users, users...)
	return nil
}

// parseMatch adds one matcher set for each argument.
func (p *splitParser) parseMatch(d *caddyfile.Dispenser, o *Override) error {
	if d.CountRemainingArgs() == 0 {
		return d.Errf("match of the override of %q needs a matcher, such as @qa", o.Variant)
	}
	for d.CountRemainingArgs() > 0 {
		set, ok, err := p.WithDispenser(d).MatcherToken()
		switch {
		case err != nil:
			return d.Errf("override of %q: matcher %q is not defined in this site", o.Variant, d.Val())
		case !ok:
			return d.Errf("override of %q: %q is not a matcher; it must be @name or /path", o.Variant, d.Val())
		case set == nil:
			return d.Errf("override of %q: matcher %q matches every request; use a weight of 100%%", o.Variant, d.Val())
		}
		o.MatcherSetsRaw = append(o.MatcherSetsRaw, caddyhttp.RawMatcherSets{set}...)
	}
	return nil
}
