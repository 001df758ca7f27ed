package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// checkHeaderKeys refuses keys in headers that no server of this Caddyfile lets through. Which server a site belongs to
// is not known yet, so that a header which another server expects is only refused when it is provisioned, by
// [Handler.checkHeaderKeys], then without file and line.
func (p *splitParser) checkHeaderKeys() error {
	filters, err := p.headerFilters()
	if err != nil {
		return err
	}
	for i, k := range p.split.Keys {
		name := k.headerName()
		passes := func(f headerFilter) bool { return f.passes(name) }
		if strings.ContainsAny(name, "_.") && !slices.ContainsFunc(filters, passes) {
			return droppedHeader(i, k)
		}
	}
	return p.split.Conversation.checkHeaders(func(name string) bool {
		passes := func(f headerFilter) bool { return f.passes(name) }
		return !strings.ContainsAny(name, "_.") || slices.ContainsFunc(filters, passes)
	})
}

// headerFilters returns what the global option "servers" expects. Caddy keeps the type of that option to itself, but
// not its fields.
func (p *splitParser) headerFilters() ([]headerFilter, error) {
	doc, err := json.Marshal(p.Option("servers"))
	if err != nil {
		return nil, fmt.Errorf("read the global option servers: %w", err)
	}
	var servers []struct{ ExpectedUnderscoreHeaders, ExpectedDotHeaders []string }
	if err := json.Unmarshal(doc, &servers); err != nil {
		return nil, fmt.Errorf("read the global option servers: %w", err)
	}
	filters := make([]headerFilter, len(servers))
	for i, s := range servers {
		filters[i] = headerFilter{s.ExpectedUnderscoreHeaders, s.ExpectedDotHeaders}
	}
	return filters, nil
}
