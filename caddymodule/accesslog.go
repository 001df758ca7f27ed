package caddymodule

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// accessLog is the name of a logger of requests. As a module it gets from Caddy the logger that has this name.
type accessLog caddy.ModuleID

// CaddyModule names the logger.
func (l accessLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(l), New: func() caddy.Module { return l }}
}

// allAccess is the logger of requests that those of sites are below.
const allAccess = "http.log.access"

// String names the logger for people.
func (l accessLog) String() string { return strings.TrimSuffix(string(l), ".-") }

// accessLogs lists the loggers of a server's requests, whichever site they are for. Where each host has its own, that of
// requests for no known host is not among them.
func accessLogs(logs *caddyhttp.ServerLogConfig) []accessLog {
	var list []accessLog
	add := func(name string) {
		if name == "" {
			name = "-" // below the logger of all, and none of those of sites
		}
		if log := accessLog(allAccess + "." + name); !slices.Contains(list, log) {
			list = append(list, log)
		}
	}
	if !logs.SkipUnmappedHosts && (logs.DefaultLoggerName != "" || len(logs.LoggerNames) == 0) {
		add(logs.DefaultLoggerName)
	}
	for _, host := range sortedKeys(logs.LoggerNames) {
		for _, name := range logs.LoggerNames[host] {
			add(name)
		}
	}
	return list
}

// encodersOf returns what writes the entries of a logger, one for each of its outputs that are not discarded. Nothing is
// written by asking: a core that is given a field shows it to its encoder.
func encodersOf(core zapcore.Core) (list []zapcore.Encoder) {
	core.With([]zapcore.Field{zap.Inline(zapcore.ObjectMarshalerFunc(func(shown zapcore.ObjectEncoder) error {
		if enc, ok := shown.(zapcore.Encoder); ok {
			list = append(list, enc)
		}
		return nil
	}))})
	return list
}

// printedBy lists the fields in which one of the encoders prints a key: it encodes requests that have one.
func (h *Handler) printedBy(encoders []zapcore.Encoder, credentials bool) []string {
	var fields []string
	for _, k := range h.Keys {
		field := k.logField(credentials)
		if field == "" || slices.Contains(fields, field) {
			continue
		}
		if slices.ContainsFunc(encoders, func(enc zapcore.Encoder) bool { return k.isPrintedBy(enc, credentials) }) {
			fields = append(fields, field)
		}
	}
	return fields
}

// isPrintedBy reports whether an encoder prints the key.
func (k KeySource) isPrintedBy(enc zapcore.Encoder, credentials bool) bool {
	const value = "Kd8WqZ3vTxN5" // no log has it by chance, and no format needs to escape it
	r := caddyhttp.LoggableHTTPRequest{Request: k.requestWith(value), ShouldLogCredentials: credentials}
	fields := []zapcore.Field{zap.Object("request", r)}
	if k.isUserID() {
		fields = append(fields, zap.String("user_id", value))
	}
	entry, err := enc.Clone().EncodeEntry(zapcore.Entry{Message: "handled request"}, fields)
	if err != nil {
		return false // it could print no request either
	}
	defer entry.Free()
	return strings.Contains(entry.String(), value)
}

// requestWith returns a request that has the key as its value, as far as a log shows it.
func (k KeySource) requestWith(value string) *http.Request {
	r := &http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", RequestURI: "/", Header: http.Header{}}
	switch k = k.direct(); {
	case k.From == KeyHeader:
		r.Header.Set(k.Name, value)
	case k.From == KeyCookie:
		r.Header.Set("Cookie", k.Name+"="+value)
	case k.From == KeyQuery:
		r.RequestURI = "/?" + url.QueryEscape(k.Name) + "=" + value
	case k.isURI():
		r.RequestURI = "/" + value + "?" + value
	}
	return r
}
