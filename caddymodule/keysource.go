package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// keyRule is how a key source is written in a Caddyfile.
const keyRule = "must be: header NAME, cookie NAME, query NAME, a {placeholder}, or client_ip; each but client_ip " +
	"may end in the word trusted"

// parseKeySource reads the arguments of the sub-directive key.
func parseKeySource(args []string) (KeySource, error) {
	words := args
	var k KeySource
	if len(words) > 1 && words[len(words)-1] == "trusted" && !isNamed(KeyFrom(words[0]), len(words)) {
		k.Trusted, words = true, words[:len(words)-1]
	}
	switch {
	case len(words) == 2 && isNamed(KeyFrom(words[0]), 2):
		k.From, k.Name = KeyFrom(words[0]), words[1]
	case len(words) == 1 && isPlaceholder(words[0]):
		k.From, k.Name = KeyPlaceholder, words[0]
	case len(words) == 1 && words[0] == string(KeyClientIP) && !k.Trusted:
		k.From = KeyClientIP
	default:
		return KeySource{}, fmt.Errorf("key %q: it %s", strings.Join(args, " "), keyRule)
	}
	return k, k.validate()
}

// isNamed reports whether n words are exactly a kind of source and its name, so that "header trusted" is a header of
// that name.
func isNamed(from KeyFrom, n int) bool {
	return n == 2 && (from == KeyHeader || from == KeyCookie || from == KeyQuery)
}

// isPlaceholder reports whether s is one placeholder and nothing else.
func isPlaceholder(s string) bool {
	return len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}' && !strings.ContainsAny(s[1:len(s)-1], "{} \t\r\n")
}

// String is the source as a Caddyfile has it, without the word trusted.
func (k KeySource) String() string {
	switch {
	case k.From == KeyPlaceholder:
		return k.Name
	case k.Name == "":
		return string(k.From)
	}
	return string(k.From) + " " + k.Name
}

// trusted reports whether clients cannot set this key themselves.
func (k KeySource) trusted() bool { return k.Trusted || k.alwaysTrusted() }

// alwaysTrusted is true for what only an authentication that succeeded sets. {http.auth.candidate.*} is not: it is who
// a rejected client claimed to be.
func (k KeySource) alwaysTrusted() bool {
	return k.From == KeyPlaceholder &&
		(strings.HasPrefix(k.Name, "{http.auth.user.") || strings.HasPrefix(k.Name, "{http.reverse_proxy.header."))
}

// direct returns the source as requests are asked: whether it is trusted, a header's name in canonical form, and a
// placeholder of a header, cookie or query parameter as that itself. Caddy's placeholders join repeated values, so that
// a client could make up keys by adding some; it is also faster.
func (k KeySource) direct() KeySource {
	k.Trusted = k.trusted()
	for prefix, from := range map[string]KeyFrom{
		"{http.request.header.":    KeyHeader,
		"{http.request.cookie.":    KeyCookie,
		"{http.request.uri.query.": KeyQuery,
	} {
		if name, ok := strings.CutPrefix(k.Name, prefix); ok && k.From == KeyPlaceholder {
			k.From, k.Name = from, strings.TrimSuffix(name, "}")
		}
	}
	if k.From == KeyHeader {
		k.Name = http.CanonicalHeaderKey(k.Name)
	}
	return k
}

// asks reports whether k reads what o reads, however it is written, and trusted or not.
func (k KeySource) asks(o KeySource) bool {
	k, o = k.direct(), o.direct()
	return k.From == o.From && k.Name == o.Name
}

// headerName returns the canonical name of the request header that k reads, directly or by a placeholder, or "".
func (k KeySource) headerName() string {
	if k.From == KeyHeader {
		return http.CanonicalHeaderKey(k.Name)
	}
	if name, ok := strings.CutPrefix(k.Name, "{http.request.header."); ok && k.From == KeyPlaceholder {
		return http.CanonicalHeaderKey(strings.TrimSuffix(name, "}"))
	}
	return ""
}

// notInHeader lists what the HTTP server takes out of the header before any handler sees it.
var notInHeader = []string{"Host", "Transfer-Encoding", "Trailer"}

func (k KeySource) validate() error { return k.validateAs("key") }

// validateAs is validate for what is called so in a Caddyfile.
func (k KeySource) validateAs(what string) error {
	switch k.From {
	case KeyHeader, KeyCookie:
		if !isToken(k.Name) {
			return wrong("name", "%s %q: %q is not the name of a %s", what, k, k.Name, k.From)
		}
	case KeyQuery:
		if k.Name == "" {
			return wrong("name", "%s %q: the name of the query parameter is missing", what, k)
		}
	case KeyPlaceholder:
		if err := k.validatePlaceholder(what); err != nil {
			return err
		}
	case KeyClientIP:
		if k.Name != "" || k.Trusted {
			return wrong("", "%s %q: client_ip takes neither a name nor trusted; to place by network use match", what, k)
		}
	default:
		return wrong("from", "%s from %q: it must be header, cookie, query, placeholder or client_ip", what, k.From)
	}
	if slices.Contains(notInHeader, k.headerName()) {
		return wrong("name", "%s %q: this header never reaches a handler; use {http.request.host} or another source", what, k)
	}
	return nil
}

func (k KeySource) validatePlaceholder(what string) error {
	if !isPlaceholder(k.Name) {
		return wrong("name", "%s %q must be exactly one placeholder in braces, such as {http.auth.user.id}", what, k)
	}
	if isLoadTime(k.Name[1:]) {
		return wrong("name", "%s %q is the same for every request, so nobody could be told apart", what, k)
	}
	return nil
}

func (h *Handler) validateKeys() error {
	for i, k := range h.Keys {
		if err := k.validate(); err != nil {
			return within(item("keys", i), err)
		}
		if i > 0 && h.Keys[i-1].From == KeyClientIP {
			return wrong(item("keys", i), "key %q is never asked: every client has an IP address, so client_ip must "+
				"come last", k)
		}
		if slices.ContainsFunc(h.Keys[:i], func(o KeySource) bool { return o.asks(k) }) {
			return wrong(item("keys", i), "key %q is listed twice", k)
		}
	}
	return h.validateAnonymous()
}

func (h *Handler) validateAnonymous() error {
	switch h.Anonymous {
	case "", anonymousCookie:
		return nil
	case anonymousStable:
		if len(h.Keys) == 0 && len(h.Overrides) == 0 {
			return wrong("anonymous", "anonymous \"stable\" and no key send every request to stable; add a key, or use "+
				"anonymous \"cookie\"")
		}
		return nil
	}
	return wrong("anonymous", "anonymous %q: it must be cookie or stable", h.Anonymous)
}

func (h *Handler) hasTrustedKey() bool { return slices.ContainsFunc(h.Keys, KeySource.trusted) }
