package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parseConversation parses one source of conversations. Its block is about all of them, and may stand at any.
func (p *splitParser) parseConversation(d *caddyfile.Dispenser) error {
	if p.split.Conversation == nil {
		p.split.Conversation = new(Conversation)
		p.at.mark("conversation", d)
	}
	c := p.split.Conversation
	path := "conversation." + item("sources", len(c.Sources))
	p.at.mark(path, d)
	source, err := parseConversationSource(d.RemainingArgs())
	if err != nil {
		return p.at.locate(within(path, err))
	}
	c.Sources = append(c.Sources, source)
	return parseBlock(d, "conversation", c.subDirectives(p.at))
}

func (c *Conversation) subDirectives(at positions) map[string]subDirective {
	known := map[string]subDirective{"hold": duration(&c.Hold), "on_failback": text(&c.OnFailback, "move or finish")}
	for name, sub := range known {
		known[name] = at.marked("conversation."+name, subDirective{parse: func(d *caddyfile.Dispenser) error {
			if _, again := at["conversation."+name+".given"]; again {
				return d.Errf("%s of conversation is given twice; it is about all sources together", name)
			}
			at.mark("conversation."+name+".given", d)
			return sub.parse(d)
		}})
	}
	return known
}
