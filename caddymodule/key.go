package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
)

// maxKey is how long a key may be, or a conversation's ID, in bytes; a longer one is not used.
const maxKey = splitter.MaxKey

// placement is who asks, as far as it could be made out.
type placement struct {
	splitter.Request
	// sticky tells how an anonymous request was placed.
	sticky sticky
	// first is the request on the canary in whose place stable is asked; nil for any other.
	first *exchange
	// talk is the conversation that the request belongs to; nil if it belongs to none.
	talk *talk
	// unnamed says that the request brought no conversation's ID, and that the agent may give it one.
	unnamed bool
}

// place finds the request's key, in the order of the sources, and the override that applies to it.
func (h *Handler) place(r *http.Request) placement {
	var p placement
	trusted := false
	for i := range h.Keys {
		if key := h.Keys[i].value(r); key != "" && len(key) <= maxKey {
			p.Key, trusted = key, h.Keys[i].trusted()
			break
		}
	}
	if p.Key == "" && h.Anonymous != anonymousStable {
		p.Key, p.sticky = h.anonymousKey(r)
	}
	p.Override = h.override(r, p.Key, trusted)
	p.talk, p.unnamed = h.talkOf(r, p)
	return p
}

// override returns the first override that applies. A matcher that fails does not match.
func (h *Handler) override(r *http.Request, key string, trusted bool) splitter.Override {
	for i := range h.overrides {
		o := &h.overrides[i]
		if _, listed := o.users[key]; listed && trusted {
			return o.to
		}
		if len(o.matchers) == 0 {
			continue
		}
		matched, err := o.matchers.AnyMatchWithError(r)
		if err != nil {
			h.log.Warn("an override's matcher failed; it does not apply", zap.Error(err))
		}
		if matched && err == nil {
			return o.to
		}
	}
	return 0
}

// value returns the source's value; empty if there is none, or more than one. The source must be direct.
func (k *KeySource) value(r *http.Request) string {
	switch k.From {
	case KeyHeader:
		return single(r.Header[k.Name])
	case KeyCookie:
		return cookieValue(r, k.Name)
	case KeyQuery:
		return queryValue(r.URL.RawQuery, k.Name)
	case KeyPlaceholder:
		return placeholderValue(r, k.Name)
	case KeyClientIP:
		return clientIP(r)
	}
	return ""
}

func single(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

func cookieValue(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// queryValue returns the value of a parameter that occurs once. What else the query holds need not be well-formed.
func queryValue(query, name string) string {
	value, found := "", false
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(k); err != nil || key != name {
			continue
		}
		unescaped, err := url.QueryUnescape(v)
		if err != nil || found {
			return ""
		}
		value, found = unescaped, true
	}
	return value
}

func placeholderValue(r *http.Request, name string) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	value, ok := repl.GetString(name[1 : len(name)-1])
	if !ok {
		return ""
	}
	return value
}

// clientIP is the client's address as the server's trusted_proxies find it.
func clientIP(r *http.Request) string {
	ip, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if !ok {
		return ""
	}
	return ip
}
