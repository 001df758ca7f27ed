package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/switchback-proxy/switchback/health"
)

func (p *splitParser) parseJudge(d *caddyfile.Dispenser) error {
	j := new(Judge)
	p.split.Judge = j
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("judge %q: it must be off, or a block", d.Val())
		}
		j.Off = true
	}
	known := j.subDirectives()
	for name, sub := range known {
		known[name] = p.at.marked("judge."+name, sub)
	}
	return parseBlock(d, "judge", known)
}

func (j *Judge) subDirectives() map[string]subDirective {
	return map[string]subDirective{
		"alpha":          parsed("a probability, such as 0.01 or 1%", parseProbability, func(v float64) { j.Alpha = v }),
		"margin":         parsed("percentage points, such as 0.2pp", parsePoints, func(v float64) { j.Margin = &v }),
		"ratio":          parsed("a number, such as 1.2", parseNumber, func(v float64) { j.Ratio = v }),
		"latency_margin": parsed("percentage points, such as 1pp", parsePoints, func(v float64) { j.LatencyMargin = &v }),
		"few_users":      once(j.parseFewUsers),
		"duration":       duration(&j.Duration),
		"trickle":        once(j.parseTrickle),
	}
}

// parsed is a sub-directive with one argument, which parse reads and set stores; what says what it is.
func parsed(what string, parse func(string) (float64, error), set func(float64)) subDirective {
	return once(func(d *caddyfile.Dispenser) error {
		name := d.Val()
		written, err := parseArg(d, what)
		if err != nil {
			return err
		}
		value, err := parse(written)
		if err != nil {
			return d.Errf("%s %w", name, err)
		}
		set(value)
		return nil
	})
}

func (j *Judge) parseFewUsers(d *caddyfile.Dispenser) error {
	word, err := parseArg(d, "hold or failback")
	if err != nil {
		return err
	}
	if err := j.FewUsers.UnmarshalText([]byte(word)); err != nil {
		return d.Errf("few_users %q: it must be hold or failback", word)
	}
	return nil
}

func (j *Judge) parseTrickle(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "off":
		j.Trickle = &health.Trickle{Off: true}
		return nil
	case len(args) != 3:
		return d.Errf("trickle needs a share, how long it is kept, and the share after that, such as 5%% 15m 1%%; or off")
	}
	trickle, err := parseTrickle(args[0], args[1], args[2])
	if err != nil {
		return d.Errf("trickle %w", err)
	}
	j.Trickle = trickle
	return nil
}

// parseTrickle reads "5%", "15m" and "1%".
func parseTrickle(first, watch, then string) (*health.Trickle, error) {
	early, err := parseTrickleShare(first)
	if err != nil {
		return nil, err
	}
	span, err := parseDuration(watch)
	if err != nil {
		return nil, err
	}
	late, err := parseTrickleShare(then)
	if err != nil {
		return nil, err
	}
	return &health.Trickle{First: early, Watch: health.Duration(span), Then: late}, nil
}
