package caddymodule

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func (p *splitParser) parseClassify(d *caddyfile.Dispenser) error {
	c := new(Classify)
	p.split.Classify = c
	if d.NextArg() {
		c.Format = d.Val()
		p.at.mark("classify.format", d)
	}
	return parseBlock(d, "classify", c.subDirectives(p.at))
}

func (c *Classify) subDirectives(at positions) map[string]subDirective {
	return map[string]subDirective{
		"keep_encoding": at.marked("classify.keep_encoding", toggle(&c.KeepEncoding)),
	}
}

func (p *splitParser) parseFailingStatuses(d *caddyfile.Dispenser) error {
	return parseStatuses(d, &p.split.FailingStatuses, "failing_statuses", p.at)
}

// parseStatuses reads statuses, which are at path in the JSON configuration.
func parseStatuses(d *caddyfile.Dispenser, field *[]int, path string, at positions) error {
	name, args := d.Val(), d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("%s needs at least one status, such as 5xx or 408", name)
	}
	for i, arg := range args {
		status, ok := parseStatus(arg)
		if !ok || !mayFail(status) {
			return d.Errf("%s %w", name, statusError(arg))
		}
		at.mark(item(path, i), d)
		*field = append(*field, status)
	}
	return nil
}

// parseStatus reads 503 as itself and 5xx as 5, which is how Caddy has them in JSON.
func parseStatus(s string) (int, bool) {
	if len(s) != 3 {
		return 0, false
	}
	status, err := strconv.Atoi(strings.TrimSuffix(s, "xx"))
	return status, err == nil
}

// parseExcluded adds one matcher set for each argument.
func (p *splitParser) parseExcluded(d *caddyfile.Dispenser) error {
	h := p.WithDispenser(d)
	p.at.mark("exclude_from_evidence", d)
	if h.CountRemainingArgs() == 0 {
		return h.Errf("exclude_from_evidence needs a matcher, such as /health or @probes")
	}
	for h.CountRemainingArgs() > 0 {
		set, ok, err := h.MatcherToken()
		switch {
		case err != nil:
			return h.Errf("exclude_from_evidence: matcher %q is not defined in this site", h.Val())
		case !ok:
			return h.Errf("exclude_from_evidence: %q is not a matcher; it must be @name or /path", h.Val())
		case set == nil:
			return h.Errf("exclude_from_evidence: matcher %q matches every request; use failback off", h.Val())
		}
		p.split.ExcludeRaw = append(p.split.ExcludeRaw, set)
	}
	return nil
}
