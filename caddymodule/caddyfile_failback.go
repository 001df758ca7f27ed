package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

func (p *splitParser) parseFailback(d *caddyfile.Dispenser) error {
	f := new(Failback)
	p.split.Failback = f
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("failback %q: it must be off, or a block of limits", d.Val())
		}
		f.Off = true
	}
	known := f.subDirectives()
	for name, sub := range known {
		known[name] = p.at.marked("failback."+name, sub)
	}
	return parseBlock(d, "failback", known)
}

func (f *Failback) subDirectives() map[string]subDirective {
	return map[string]subDirective{
		"window":           duration(&f.Window),
		"min_requests":     once(f.parseMinRequests),
		"max_error_rate":   once(func(d *caddyfile.Dispenser) error { return f.parseRate(d, errorRate) }),
		"min_success_rate": once(func(d *caddyfile.Dispenser) error { return f.parseRate(d, successRate) }),
		"max_left":         once(f.parseMaxLeft),
		"max_mean_latency": duration(&f.MaxMeanLatency),
		"max_latency":      quantileLimit(&f.MaxLatency),
		"max_ttft":         quantileLimit(&f.MaxTTFT),
		"cooldown":         duration(&f.Cooldown),
	}
}

func (f *Failback) parseMinRequests(d *caddyfile.Dispenser) error {
	number, err := parseArg(d, "a number")
	if err != nil {
		return err
	}
	if f.MinRequests, err = strconv.Atoi(number); err != nil || f.MinRequests < 1 {
		return d.Errf("min_requests %q: it must be a number from 1 to %d", number, health.MaxMinRequests)
	}
	return nil
}

func (f *Failback) parseMaxLeft(d *caddyfile.Dispenser) error {
	percent, err := parseArg(d, "a percentage, such as 20%")
	if err != nil {
		return err
	}
	written, err := parseShare(percent)
	switch {
	case err != nil:
		return d.Errf("max_left %w", err)
	case written == 0 || written == int(splitter.Full):
		return d.Errf("max_left %s: it must be above 0%% and below 100%%, for any other limit is always or never broken", percent)
	}
	f.MaxLeft = share(written)
	return nil
}

// The two ways to write the limit of errors, as functions from what is written to the greatest share of errors, both
// in thousandths of a percent.
func errorRate(written int) int   { return written }
func successRate(written int) int { return int(splitter.Full) - written }

func (f *Failback) parseRate(d *caddyfile.Dispenser, errors func(int) int) error {
	name := d.Val()
	percent, err := parseArg(d, "a percentage, such as 5%, or off")
	if err != nil {
		return err
	}
	if f.MaxErrorRate != nil {
		return d.Errf("max_error_rate and min_success_rate are the same limit; one of them may be given")
	}
	if percent == "off" {
		f.MaxErrorRate = new(float64)
		return nil
	}
	written, err := parseShare(percent)
	if err != nil {
		return d.Errf("%s %w", name, err)
	}
	greatest := errors(written)
	if greatest == 0 || greatest == int(splitter.Full) {
		return d.Errf("%s %s: it must be above 0%% and below 100%%, for any other limit is always or never broken; "+
			"off switches it off", name, percent)
	}
	rate := share(greatest)
	f.MaxErrorRate = &rate
	return nil
}

// quantileLimit is a sub-directive with a quantile and a duration.
func quantileLimit(field **health.QuantileLimit) subDirective {
	return once(func(d *caddyfile.Dispenser) error {
		name := d.Val()
		var quantile, longest string
		if !d.AllArgs(&quantile, &longest) {
			return d.Errf("%s needs a quantile and a duration, such as p95 8s", name)
		}
		limit, err := parseQuantileLimit(quantile, longest)
		if err != nil {
			return d.Errf("%s %w", name, err)
		}
		*field = limit
		return nil
	})
}
