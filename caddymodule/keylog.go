package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// warnOfLoggedKeys warns of each access log of the server that prints a key, as its format does not filter it.
func (h *Handler) warnOfLoggedKeys(ctx caddy.Context) {
	server := serverOf(ctx)
	if server == nil || len(h.loggedKeys(server.Logs)) == 0 {
		return
	}
	for _, log := range accessLogs(server.Logs) {
		if fields := h.printedBy(encodersOf(ctx.Logger(log).Core()), server.Logs.ShouldLogCredentials); len(fields) > 0 {
			ctx.Logger().Warn("an access log prints the key of a split; let its format filter these fields",
				zap.String("split", h.Name),
				zap.Stringer("log", log),
				zap.Strings("fields", fields),
				zap.String("fix", "format filter in its log block, with a line `FIELD delete` for each"))
		}
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
	case k.From == KeyQuery, k.isURI():
		return "request>uri"
	case k.isUserID():
		return "user_id"
	}
	return ""
}

// isURI reports whether k is a part of the address that was asked for.
func (k KeySource) isURI() bool {
	return k.readsFrom("{http.request.uri") || k.readsFrom("{http.request.orig_uri")
}

// isUserID reports whether k is what Caddy logs of a user who is signed in.
func (k KeySource) isUserID() bool { return k.readsFrom("{http.auth.user.id}") }

// readsFrom reports whether k is a placeholder that begins so.
func (k KeySource) readsFrom(prefix string) bool {
	return k.From == KeyPlaceholder && strings.HasPrefix(k.Name, prefix)
}
