package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// parseSplitRoute parses the directive. Syntax:
//
//	traffic_split [<matcher>] <name> {
//	    key header|cookie|query <name> [trusted]
//	    key <placeholder> [trusted]
//	    key client_ip
//	    anonymous cookie|stable
//
//	    stable <variant>
//	    canary <variant>
//	    variant <name> <weight> [<upstreams...>] {
//	        version <text>
//	        <any sub-directives of reverse_proxy>
//	    }
//	    variant <name> <weight> {
//	        version <text>
//	        handle {
//	            <directives...>
//	        }
//	    }
//	    override <variant> {
//	        users <keys...>
//	        match <matchers...>
//	    }
//
//	    failback off
//	    failback {
//	        window           <duration>
//	        min_requests     <number>
//	        max_error_rate   <percent>|off
//	        min_success_rate <percent>|off
//	        max_left         <percent>
//	        max_mean_latency <duration>
//	        max_latency      <quantile> <duration>
//	        max_ttft         <quantile> <duration>
//	        cooldown         <duration>
//	    }
//	    judge off
//	    judge {
//	        alpha          <number>|<percent>
//	        margin         <percentage points>
//	        ratio          <number>
//	        latency_margin <percentage points>
//	        few_users      hold|failback
//	        duration       <duration>
//	        trickle        off | <percent> <duration> <percent>
//	    }
//	    rollout {
//	        steps        <percent>[:<duration>]...
//	        bake         [<duration>] [<percent>:<duration>...]
//	        min_requests <number>
//	        min_users    <number>
//	        gate verdict
//	        gate webhook <url> [before <percent>...] {
//	            timeout <duration>
//	        }
//	        gate approval [before <percent>...]
//	        window       [<days>] <from>-<to> [<zone>]
//	        no_traffic   hold <duration>
//	        watch        <duration>
//	        on_fail      failback|pause
//	    }
//	    contact <text>
//	    drill_every <duration>
//	    check [<method>] <path> {
//	        header        <name> <value>
//	        body          <text>
//	        status        <statuses...>
//	        body_contains <text>
//	        timeout       <duration>
//	    }
//	    probes <number>
//
//	    classify [auto|off|<format>] {
//	        keep_encoding
//	    }
//	    failing_statuses <statuses...>
//	    agent_outcome trust|ignore
//	    stall <duration>
//	    exclude_from_evidence <matchers...>
//
//	    rescue off
//	    rescue {
//	        when     unreached|before_payload
//	        hold     <duration>
//	        at_most  <percent>
//	        body     <size>
//	        statuses <statuses...>
//	        timeout  <duration>
//	    }
//
//	    kill_response [<status>] {
//	        body        <text>
//	        retry_after <duration>
//	    }
//	    response_header <name>
//
//	    conversation [auto]
//	    conversation header|cookie|query <name> | json <field> | <placeholder> {
//	        hold        <duration>
//	        on_failback move|finish
//	    }
//	}
//
// key, check, conversation, override and exclude_from_evidence may be repeated; sources and overrides are asked in the
// order in which they stand. In an override, users and match are alternatives: either is enough.
func parseSplitRoute(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive's name
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, h.Errf("%s: matcher %q is not defined in this site", splitDirective, h.Val())
	}
	split, err := parseSplit(h)
	if err != nil {
		return nil, err
	}
	return h.NewRoute(matcher, split), nil
}

func parseSplit(h httpcaddyfile.Helper) (*Handler, error) {
	h.Next() // the directive's name, once more: looking for a matcher ended in a reset
	p := &splitParser{Helper: h, split: new(Handler), at: positions{}}
	p.at.mark("", h.Dispenser)
	name, err := parseArg(h.Dispenser, "a name: traffic_split <name> { ... }")
	if err != nil {
		return nil, err
	}
	p.split.Name = name
	if h.NextArg() {
		return nil, h.Errf("unexpected %q after the name of %s %q", h.Val(), splitDirective, name)
	}
	if err := parseBlock(h.Dispenser, splitDirective, p.subDirectives()); err != nil {
		return nil, err
	}
	if err := p.at.locate(p.validate()); err != nil {
		return nil, err
	}
	return p.split, nil
}

// splitParser parses one traffic_split.
type splitParser struct {
	httpcaddyfile.Helper
	split *Handler
	at    positions // of the parts of split
}

func (p *splitParser) subDirectives() map[string]subDirective {
	s := p.split
	return map[string]subDirective{
		"key":                   repeated(p.parseKey),
		"conversation":          repeated(p.parseConversation),
		"anonymous":             p.at.marked("anonymous", text(&s.Anonymous, "cookie or stable")),
		"stable":                p.at.marked("stable", text(&s.Stable, "a variant")),
		"canary":                p.at.marked("canary", text(&s.Canary, "a variant")),
		"variant":               repeated(p.parseVariant),
		"override":              repeated(p.parseOverride),
		"failback":              p.at.marked("failback", once(p.parseFailback)),
		"judge":                 p.at.marked("judge", once(p.parseJudge)),
		"rollout":               p.at.marked("rollout", once(p.parseRollout)),
		"contact":               p.at.marked("contact", text(&s.Contact, "a text, such as \"on-call: +49 30 1234\"")),
		"check":                 repeated(p.parseCheck),
		"probes":                p.at.marked("probes", once(p.parseProbes)),
		"drill_every":           p.at.marked("drill_every", duration(&s.DrillEvery)),
		"kill_response":         p.at.marked("kill_response", once(p.parseKillResponse)),
		"classify":              p.at.marked("classify", once(p.parseClassify)),
		"failing_statuses":      p.at.marked("failing_statuses", once(p.parseFailingStatuses)),
		"agent_outcome":         p.at.marked("agent_outcome", text(&s.AgentOutcome, "trust or ignore")),
		"rescue":                p.at.marked("rescue", once(p.parseRescue)),
		"stall":                 p.at.marked("stall", duration(&s.Stall)),
		"exclude_from_evidence": repeated(p.parseExcluded),
		"response_header":       p.at.marked("response_header", text(&s.ResponseHeader, "the name of a header")),
	}
}

// validate checks what can be known of the split before it is provisioned.
func (p *splitParser) validate() error {
	if err := p.split.validate(asWritten); err != nil {
		return err
	}
	return p.checkHeaderKeys()
}

func (p *splitParser) parseKey(d *caddyfile.Dispenser) error {
	path := item("keys", len(p.split.Keys))
	p.at.mark(path, d)
	key, err := parseKeySource(d.RemainingArgs())
	if err != nil {
		return p.at.locate(within(path, err))
	}
	p.split.Keys = append(p.split.Keys, key)
	return nil
}

func (p *splitParser) parseKillResponse(d *caddyfile.Dispenser) error {
	k := new(KillResponse)
	p.split.KillResponse = k
	if d.NextArg() {
		status, err := strconv.Atoi(d.Val())
		if err != nil || status == 0 {
			return d.Errf("kill_response status %q: it must be a number from 400 to 599", d.Val())
		}
		k.Status = status
	}
	return parseBlock(d, "kill_response", map[string]subDirective{
		"body":        text(&k.Body, "a text"),
		"retry_after": p.at.marked("kill_response.retry_after", duration(&k.RetryAfter)),
	})
}
