package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// headerFilter says which request headers a server lets through to its handlers. Caddy drops all whose names contain
// "_" or ".", except those that it is told to expect; of those it drops the spelling with hyphens instead. The rules
// are those of the HTTP server of Caddy v2.11.9 (modules/caddyhttp/server.go), which keeps them to itself.
type headerFilter struct {
	underscore, dot []string // what is expected: names, or prefixes that end in "*"
}

func filterOf(s *caddyhttp.Server) headerFilter {
	if s == nil {
		return headerFilter{}
	}
	return headerFilter{s.ExpectedUnderscoreHeaders, s.ExpectedDotHeaders}
}

// passes reports whether a header of that name, in canonical form, reaches the handlers.
func (f headerFilter) passes(name string) bool {
	hasUnderscore, hasDot := strings.Contains(name, "_"), strings.Contains(name, ".")
	switch {
	case hasUnderscore && hasDot:
		return isExpected(name, f.underscore, "_", exactly) || isExpected(name, f.dot, ".", exactly)
	case hasUnderscore:
		return isExpected(name, f.underscore, "_", asSpelled)
	case hasDot:
		return isExpected(name, f.dot, ".", asSpelled)
	}
	return !isExpected(name, f.underscore, "_", hyphenated) && !isExpected(name, f.dot, ".", hyphenated)
}

// The ways to compare a name with what is expected.
const (
	exactly    = iota // names only, no prefixes
	asSpelled         // names and prefixes
	hyphenated        // names and prefixes with hyphens in place of the separator
)

func isExpected(name string, entries []string, separator string, how int) bool {
	return slices.ContainsFunc(entries, func(entry string) bool {
		prefix, isPrefix := strings.CutSuffix(entry, "*")
		if how == hyphenated {
			prefix = strings.ReplaceAll(prefix, separator, "-")
		}
		prefix = http.CanonicalHeaderKey(prefix)
		return name == prefix && !isPrefix || isPrefix && how != exactly && strings.HasPrefix(name, prefix)
	})
}

// checkHeaderKeys refuses keys in headers that the server drops: everybody would be anonymous.
func (h *Handler) checkHeaderKeys(s *caddyhttp.Server) error {
	for i, k := range h.Keys {
		name := k.headerName()
		if name != "" && !filterOf(s).passes(name) {
			return droppedHeader(i, k)
		}
	}
	return h.Conversation.checkHeaders(filterOf(s).passes)
}

// checkHeaders refuses headers that do not pass the server: no conversation would be known.
func (c *Conversation) checkHeaders(passes func(name string) bool) error {
	if c == nil {
		return nil
	}
	for i, s := range c.Sources {
		if name := (KeySource{From: s.From, Name: s.Name}).headerName(); name != "" && !passes(name) {
			return wrong("conversation."+item("sources", i)+".name", "conversation %q: the server drops this header: Caddy does "+
				"so with names that contain \"_\" or \".\", and with those like one that it is told to expect "+
				"(expected_underscore_headers, expected_dot_headers)", s)
		}
	}
	return nil
}

func droppedHeader(i int, k KeySource) error {
	if !strings.ContainsAny(k.headerName(), "_.") {
		return wrong(item("keys", i)+".name", "key %q: the server drops this header, because it expects one of the "+
			"same name with \"_\" or \".\" in place of hyphens", k)
	}
	return wrong(item("keys", i)+".name", "key %q: Caddy drops headers whose names contain \"_\" or \".\", so nobody "+
		"would have this key; rename the header, or add it to the server's expected_underscore_headers or "+
		"expected_dot_headers", k)
}
