package caddymodule

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// rolloutParser parses one rollout.
type rolloutParser struct {
	Rollout
	at    positions
	bakes []stepBake // of single steps, as `bake` has them
	// hasVerdict says that the gate was written that is always there.
	hasVerdict bool
}

// stepBake is how long one step bakes, and where that is written.
type stepBake struct {
	rollout.Step
	text string
	at   caddyfile.Token
}

func (p *splitParser) parseRollout(d *caddyfile.Dispenser) error {
	r := &rolloutParser{at: p.at}
	p.split.Rollout = &r.Rollout
	known := r.subDirectives()
	for name, sub := range known {
		known[name] = p.at.marked("rollout."+name, sub)
	}
	if err := parseBlock(d, "rollout", known); err != nil {
		return err
	}
	return r.bakeSteps()
}

func (r *rolloutParser) subDirectives() map[string]subDirective {
	return map[string]subDirective{
		"steps":        once(r.parseSteps),
		"bake":         once(r.parseBake),
		"min_requests": count(&r.MinRequests),
		"min_users":    count(&r.MinUsers),
		"gate":         repeated(r.parseGate),
		"window":       once(r.parseWindow),
		"no_traffic":   once(r.parseNoTraffic),
		"watch":        duration(&r.Watch),
		"on_fail":      text(&r.OnFail, "failback or pause"),
	}
}

func (r *rolloutParser) parseSteps(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("steps needs the canary's shares, such as 1%% 5%% 25%% 100%%")
	}
	for _, arg := range args {
		step, err := parseStep(arg)
		if err != nil {
			return d.Errf("steps: %w", err)
		}
		r.Steps = append(r.Steps, step)
	}
	return nil
}

// parseStep reads "5%", or "5%:6h" with its bake time.
func parseStep(s string) (step rollout.Step, err error) {
	share, bake, hasBake := strings.Cut(s, ":")
	if step.Weight, err = splitter.ParseWeight(share); err != nil || !hasBake {
		return step, err
	}
	long, err := parseDuration(bake)
	step.Bake = health.Duration(long)
	return step, err
}

// parseBake reads a time for all steps, and times of single ones.
func (r *rolloutParser) parseBake(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() == 0 {
		return d.Errf("bake needs a duration, such as 24h, or those of steps, such as 24h 1%%:1h")
	}
	for d.NextArg() {
		if strings.Contains(d.Val(), ":") {
			step, err := parseStep(d.Val())
			if err != nil {
				return d.Errf("bake %w", err)
			}
			r.bakes = append(r.bakes, stepBake{step, d.Val(), d.Token()})
			continue
		}
		if r.Bake != 0 {
			return d.Errf("bake %q: there is one time for all steps, and further ones name theirs, such as 1%%:1h", d.Val())
		}
		long, err := parseDuration(d.Val())
		if err != nil {
			return d.Errf("bake %w", err)
		}
		r.Bake = health.Duration(long)
	}
	return nil
}

// bakeSteps gives steps the times that `bake` has for them, wherever in the block the steps are.
func (r *rolloutParser) bakeSteps() error {
	if len(r.bakes) > 0 && r.Steps == nil {
		for _, s := range rollout.DefaultPlan().Steps {
			r.Steps = append(r.Steps, rollout.Step{Weight: s.Weight})
		}
	}
	for _, b := range r.bakes {
		at := []caddyfile.Token{b.at}
		i := slices.IndexFunc(r.Steps, func(s rollout.Step) bool { return s.Weight == b.Weight })
		switch {
		case i < 0:
			return errAt(at, "bake %q: %s is none of the steps", b.text, b.Weight)
		case r.Steps[i].Bake != 0:
			return errAt(at, "bake %q: step %s has a time already, %s", b.text, b.Weight, r.Steps[i].Bake)
		}
		r.Steps[i].Bake = b.Bake
	}
	return nil
}

// count is a sub-directive whose one argument is as much as a plan may ask for.
func count(field **int) subDirective {
	return once(func(d *caddyfile.Dispenser) error {
		name := d.Val()
		number, err := parseArg(d, "a number")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return d.Errf("%s %q: it must be a number from 0 to %d", name, number, rollout.MaxMinimum)
		}
		*field = &n
		return nil
	})
}

func (r *rolloutParser) parseWindow(d *caddyfile.Dispenser) error {
	parsed, err := rollout.ParseWindow(strings.Join(d.RemainingArgs(), " "))
	if err != nil {
		return d.Errf("%w", err)
	}
	r.Window = &Window{*parsed}
	return nil
}

func (r *rolloutParser) parseNoTraffic(d *caddyfile.Dispenser) error {
	var what, after string
	if !d.AllArgs(&what, &after) || what != "hold" {
		return d.Errf("no_traffic needs the word hold and a duration, such as hold 1h")
	}
	long, err := parseDuration(after)
	if err != nil {
		return d.Errf("no_traffic hold %w", err)
	}
	r.NoTraffic = health.Duration(long)
	return nil
}
