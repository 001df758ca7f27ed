package caddymodule

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/health"
)

// compressed answers with gzip if that is accepted, or in any case.
func compressed(t *testing.T, body string, anyway bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if !anyway && !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			in(body, false)(w, r)
			return
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := io.WriteString(z, body); err != nil {
			t.Error(err)
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
		in(packed.String(), false, "Content-Encoding", "gzip")(w, r)
	}
}

// The variant is asked not to compress, so that its answer can be read, while the client may get it compressed by
// somebody in front. What comes compressed all the same is passed on, and judged from outside.
func TestCompressed(t *testing.T) {
	a := startAgent(t)
	body := golden(t, "openai-chat/error")
	for _, tt := range []struct {
		name, before, options string
		anyway, packed        bool
		class                 health.Class
		cause                 health.Cause
	}{
		{"asked not to", "", "", false, false, health.Failure, health.CauseProtocol},
		{"compressed in front", "encode {\ngzip\nmatch {\nheader Content-Type text/*\n}\n}\n", "", false, true,
			health.Failure, health.CauseProtocol},
		{"compressed anyway", "", "", true, true, health.Success, health.CauseNone},
		{"encoding kept", "", "classify {\nkeep_encoding\n}", false, true, health.Success, health.CauseNone},
		{"off", "", "classify off", false, true, health.Success, health.CauseNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProxy(t, tt.before+a.site(tt.options))
			a.will(compressed(t, body, tt.anyway))
			p.counted(t, tt.class, tt.cause, func() {
				got, whole := p.ask("Accept-Encoding", "gzip")
				if packed := got != body; !whole || packed != tt.packed {
					t.Errorf("client sees %q (whole: %t), want it compressed: %t", got, whole, tt.packed)
				}
			})
		})
	}
}

// What stands behind the split's failure sees what the client asked for, with or without it having asked.
func TestEncodingIsRestored(t *testing.T) {
	for _, want := range [][]string{nil, {"br", "gzip"}} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		if want != nil {
			r.Header["Accept-Encoding"] = want
		}
		var e encoding
		e.restore()
		e.ask(r)
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("the variant is asked for %q, want identity", got)
		}
		e.restore()
		if got, ok := r.Header["Accept-Encoding"]; len(got) != len(want) || ok != (want != nil) {
			t.Errorf("afterwards %q, want %q", got, want)
		}
	}
}
