package caddymodule

import (
	"errors"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(globalOption, parseApp)
	httpcaddyfile.RegisterDirective(splitDirective, parseSplitRoute)
	httpcaddyfile.RegisterDirectiveOrder(splitDirective, httpcaddyfile.Before, "reverse_proxy")
}

const (
	globalOption   = "switchback"
	splitDirective = "traffic_split"
)

// subDirective parses one sub-directive. d is a dispenser of its tokens only, with its name loaded. Tokens that are
// left over are an error.
type subDirective struct {
	parse  func(d *caddyfile.Dispenser) error
	repeat bool // may be given more than once
}

// once is a sub-directive that may be given once.
func once(parse func(*caddyfile.Dispenser) error) subDirective { return subDirective{parse: parse} }

// repeated is a sub-directive that may be given any number of times.
func repeated(parse func(*caddyfile.Dispenser) error) subDirective {
	return subDirective{parse: parse, repeat: true}
}

// parseBlock parses the block that follows in d, if any; owner is whose block it is.
func parseBlock(d *caddyfile.Dispenser, owner string, known map[string]subDirective) error {
	seen := map[string]int{} // name → line
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		sub := d.NewFromNextSegment()
		sub.Next()
		name := sub.Val()
		spec, ok := known[name]
		if !ok {
			return sub.Errf("%s has no sub-directive %q; %s", owner, name, whereIs(owner, name, sortedKeys(known)))
		}
		if line, again := seen[name]; again && !spec.repeat {
			return sub.Errf("%s of %s is given twice, first in line %d; it may be given once", name, owner, line)
		}
		seen[name] = sub.Line()
		if err := spec.parse(sub); err != nil {
			return err
		}
		if sub.Next() {
			return sub.Errf("unexpected %q after %s of %s", sub.Val(), name, owner)
		}
	}
	return nil
}

// whereIs returns a hint for a sub-directive that owner does not have: where it belongs, or what owner has.
func whereIs(owner, name string, known []string) string {
	if owner == "failback" && name == "few_users" {
		return "it belongs in the block judge"
	}
	return suggest(name, known)
}

// parseArg loads the next argument, which must be there; what says what it is.
func parseArg(d *caddyfile.Dispenser, what string) (string, error) {
	name := d.Val()
	if !d.NextArg() {
		return "", d.Errf("%s needs %s", name, what)
	}
	return d.Val(), nil
}

// text is a sub-directive whose one argument is stored in field.
func text(field *string, what string) subDirective {
	return once(func(d *caddyfile.Dispenser) (err error) {
		*field, err = parseArg(d, what)
		return err
	})
}

// toggle is a sub-directive without arguments.
func toggle(field *bool) subDirective {
	return once(func(*caddyfile.Dispenser) error {
		*field = true
		return nil
	})
}

// duration is a sub-directive whose one argument is a duration above zero.
func duration[D ~int64](field *D) subDirective {
	return once(func(d *caddyfile.Dispenser) error {
		name := d.Val()
		value, err := parseArg(d, "a duration, such as 30s")
		if err != nil {
			return err
		}
		parsed, err := parseDuration(value)
		if err != nil {
			return d.Errf("%s %w", name, err)
		}
		*field = D(parsed)
		return nil
	})
}

// marked is sub, remembering where it was written as the place of path.
func (p positions) marked(path string, sub subDirective) subDirective {
	parse := sub.parse
	sub.parse = func(d *caddyfile.Dispenser) error {
		p.mark(path, d)
		return parse(d)
	}
	return sub
}

// positions remembers where the parts of a configuration were written, by their paths in the JSON configuration.
type positions map[string]caddyfile.Token

// mark remembers d's current token as the place of path.
func (p positions) mark(path string, d *caddyfile.Dispenser) { p[path] = d.Token() }

// locate adds file and line to a configError: those of the part that it names, or of the nearest part around that.
func (p positions) locate(err error) error {
	var at *configError
	if !errors.As(err, &at) {
		return err
	}
	all := parents(at.path)
	i := slices.IndexFunc(all, func(path string) bool { _, ok := p[path]; return ok })
	if i < 0 {
		return err
	}
	d := caddyfile.NewDispenser([]caddyfile.Token{p[all[i]]})
	d.Next()
	return d.WrapErr(at.err)
}

// parseDuration reads a duration above zero; days are allowed.
func parseDuration(s string) (time.Duration, error) {
	parsed, err := caddy.ParseDuration(s)
	if err != nil || parsed <= 0 {
		return 0, errNoDuration(s)
	}
	return parsed, nil
}
