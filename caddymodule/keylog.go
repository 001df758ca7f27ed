package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// warnOfLoggedKeys warns if the server's access log would print a key. Whether its encoder filters the field cannot be
// known here, so the warning says what to check.
func (h *Handler) warnOfLoggedKeys(ctx caddy.Context) {
	server := serverOf(ctx)
	if server == nil {
		return
	}
	if fields := h.loggedKeys(server.Logs); len(fields) > 0 {
		ctx.Logger().Warn("the access log prints the key of a split, unless its format filters these fields",
			zap.String("split", h.Name),
			zap.Strings("fields", fields),
			zap.String("fix", "log { format filter { <field> delete } }"))
	}
}

// loggedKeys lists the fields of the access log that print a key. The client's address is not among them: the log has
// it with or without a split.
func (h *Handler) loggedKeys(logs *caddyhttp.ServerLogConfig) []string {
	if logs == nil {
		return nil
	}
	var fields []string
	for _, k := range h.Keys {
		if field := k.logField(logs.ShouldLogCredentials); field != "" && !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}
	return fields
}

// redacted lists the headers that the access log does not print, unless told to log credentials.
var redacted = []string{"Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie"}

// logField returns the field of the access log that prints the key, or "".
func (k KeySource) logField(credentials bool) string {
	header := k.headerName()
	switch {
	case header != "" && (credentials || !slices.Contains(redacted, header)):
		return "request>headers>" + header
	case credentials && (k.From == KeyCookie || k.readsFrom("{http.request.cookie.")):
		return "request>headers>Cookie"
	case k.From == KeyQuery, k.readsFrom("{http.request.uri"), k.readsFrom("{http.request.orig_uri"):
		return "request>uri"
	case k.Name == "{http.auth.user.id}" && k.From == KeyPlaceholder:
		return "user_id"
	}
	return ""
}

// readsFrom reports whether k is a placeholder that begins so.
func (k KeySource) readsFrom(prefix string) bool {
	return k.From == KeyPlaceholder && strings.HasPrefix(k.Name, prefix)
}
