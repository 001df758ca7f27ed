package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// parseGate parses one gate, which may stand before several steps.
func (r *rolloutParser) parseGate(d *caddyfile.Dispenser) error {
	kind, err := parseArg(d, "verdict, webhook or approval")
	if err != nil {
		return err
	}
	switch kind {
	case "verdict":
		if r.hasVerdict {
			return d.Errf("gate verdict is given twice; it may be given once")
		}
		r.hasVerdict = true
		return nil
	case "webhook":
		return r.parseWebhook(d)
	case "approval":
		return r.addGates(d, rollout.Gate{Approval: true})
	}
	return d.Errf("gate %q: it must be verdict, webhook or approval", kind)
}

func (r *rolloutParser) parseWebhook(d *caddyfile.Dispenser) error {
	url, err := parseArg(d, "a URL")
	if err != nil {
		return err
	}
	first := len(r.Gates)
	if err := r.addGates(d, rollout.Gate{Webhook: url}); err != nil {
		return err
	}
	gates := r.Gates[first:]
	err = parseBlock(d, "gate", map[string]subDirective{
		"timeout": duration(&gates[0].Timeout),
	})
	for i := range gates {
		gates[i].Timeout = gates[0].Timeout
	}
	return err
}

// addGates adds the gate for each step that it is to stand before: "before 25% 50%"; the word can be left out.
func (r *rolloutParser) addGates(d *caddyfile.Dispenser, gate rollout.Gate) error {
	args := d.RemainingArgs()
	if len(args) > 0 && args[0] == "before" {
		if args = args[1:]; len(args) == 0 {
			return d.Errf("gate before needs a step, such as 25%%")
		}
	}
	if len(args) == 0 {
		r.addGate(d, gate)
	}
	for _, arg := range args {
		before, err := splitter.ParseWeight(arg)
		if err != nil {
			return d.Errf("gate before %q: it must be one of the steps, such as 25%%", arg)
		}
		if before == 0 {
			return d.Errf("gate before %s: it must be one of the steps after the first", arg)
		}
		gate.Before = before
		r.addGate(d, gate)
	}
	return nil
}

func (r *rolloutParser) addGate(d *caddyfile.Dispenser, gate rollout.Gate) {
	r.at.mark("rollout."+item("gates", len(r.Gates)), d)
	r.Gates = append(r.Gates, gate)
}
