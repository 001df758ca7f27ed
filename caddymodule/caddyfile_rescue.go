package caddymodule

import (
	"math"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/switchback-proxy/switchback/splitter"
)

func (p *splitParser) parseRescue(d *caddyfile.Dispenser) error {
	r := new(Rescue)
	p.split.Rescue = r
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("rescue %q: it must be off, or a block", d.Val())
		}
		r.Off = true
	}
	known := r.subDirectives(p.at)
	for name, sub := range known {
		known[name] = p.at.marked("rescue."+name, sub)
	}
	return parseBlock(d, "rescue", known)
}

func (r *Rescue) subDirectives(at positions) map[string]subDirective {
	return map[string]subDirective{
		"when":    text(&r.When, "unreached or before_payload"),
		"hold":    duration(&r.Hold),
		"at_most": once(r.parseAtMost),
		"body":    once(r.parseBody),
		"statuses": once(func(d *caddyfile.Dispenser) error {
			return parseStatuses(d, &r.Statuses, "rescue.statuses", at)
		}),
		"timeout": duration(&r.Timeout),
	}
}

func (r *Rescue) parseAtMost(d *caddyfile.Dispenser) error {
	percent, err := parseArg(d, "a percentage of stable's requests, such as 20%")
	if err != nil {
		return err
	}
	written, err := parseShare(percent)
	switch {
	case err != nil:
		return d.Errf("at_most %w", err)
	case written == 0:
		return d.Errf("at_most %s would rescue nobody; to say that, write: rescue off", percent)
	}
	r.AtMost = float64(written) / float64(splitter.Full)
	return nil
}

func (r *Rescue) parseBody(d *caddyfile.Dispenser) error {
	size, err := parseArg(d, "a size, such as 256KiB")
	if err != nil {
		return err
	}
	bytes, err := humanize.ParseBytes(size)
	if err != nil || bytes == 0 || bytes > math.MaxInt64 {
		return d.Errf("body %q: it must be a size above 0, such as 256KiB", size)
	}
	r.Body = int64(bytes)
	return nil
}
