package caddymodule

import (
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parseCheck parses one check: its method, which can be left out, its URI, and a block.
func (p *splitParser) parseCheck(d *caddyfile.Dispenser) error {
	path := item("checks", len(p.split.Checks))
	p.at.mark(path, d)
	c := new(Check)
	p.split.Checks = append(p.split.Checks, c)
	switch args := d.RemainingArgs(); len(args) {
	case 1:
		c.URI = args[0]
	case 2:
		c.Method, c.URI = args[0], args[1]
	default:
		return d.Errf("check needs a method and a path, such as GET /healthz")
	}
	known := c.subDirectives()
	for name, sub := range known {
		known[name] = p.at.marked(path+"."+name, sub)
	}
	return parseBlock(d, "check", known)
}

func (c *Check) subDirectives() map[string]subDirective {
	return map[string]subDirective{
		"header":        repeated(c.parseHeader),
		"body":          text(&c.Body, "a text"),
		"status":        once(c.parseStatus),
		"body_contains": text(&c.BodyContains, "a text"),
		"timeout":       duration(&c.Timeout),
	}
}

func (c *Check) parseHeader(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.Errf("header needs a name and a value, such as Authorization {env.TOKEN}")
	}
	if c.Header == nil {
		c.Header = http.Header{}
	}
	c.Header.Add(name, value)
	return nil
}

func (c *Check) parseStatus(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("status needs at least one status, such as 2xx or 404")
	}
	for _, arg := range args {
		status, ok := parseStatus(arg)
		if !ok || !mayBeExpected(status) {
			return d.Errf("status %w", expectedError(arg))
		}
		c.Status = append(c.Status, status)
	}
	return nil
}

func (p *splitParser) parseProbes(d *caddyfile.Dispenser) error {
	number, err := parseArg(d, "a number")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return d.Errf("probes %q: it must be a number from 0 to %d", number, maxProbes)
	}
	p.split.Probes = &n
	return nil
}
