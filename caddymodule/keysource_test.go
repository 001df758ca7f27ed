package caddymodule

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"
)

func TestParseKeySource(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want KeySource
	}{
		{"header X-User-ID", KeySource{From: KeyHeader, Name: "X-User-ID"}},
		{"header X-User-ID trusted", KeySource{From: KeyHeader, Name: "X-User-ID", Trusted: true}},
		{"header trusted", KeySource{From: KeyHeader, Name: "trusted"}},
		{"header trusted trusted", KeySource{From: KeyHeader, Name: "trusted", Trusted: true}},
		{"cookie uid", KeySource{From: KeyCookie, Name: "uid"}},
		{"cookie uid trusted", KeySource{From: KeyCookie, Name: "uid", Trusted: true}},
		{"query user", KeySource{From: KeyQuery, Name: "user"}},
		{"{http.auth.user.id}", KeySource{From: KeyPlaceholder, Name: "{http.auth.user.id}"}},
		{"{http.vars.user} trusted", KeySource{From: KeyPlaceholder, Name: "{http.vars.user}", Trusted: true}},
		{"client_ip", KeySource{From: KeyClientIP}},
	} {
		got, err := parseKeySource(strings.Fields(tt.in))
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q: want -, got +:\n%s", tt.in, diff)
		}
	}
}

func TestParseKeySourceRefuses(t *testing.T) {
	for _, in := range []string{
		"", "header", "trusted", "header a b", "header a trusted trusted", "cookie", "query", "client_ip 1.2.3.4",
		"client_ip trusted", "placeholder {x}", "{}", "{x", "{x}{y}", "{x} {y}", "{env.HOME}", "{system.hostname}",
		"header Host", "header transfer-encoding", "header a:b", "cookie a=b", "{http.request.header.Host}", "jwt sub",
	} {
		if got, err := parseKeySource(strings.Fields(in)); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

func FuzzParseKeySource(f *testing.F) {
	f.Add("header X trusted")
	f.Add("cookie uid")
	f.Add("query q")
	f.Add("{http.auth.user.id} trusted")
	f.Add("client_ip")
	f.Fuzz(func(t *testing.T, in string) {
		key, err := parseKeySource(strings.Split(in, " "))
		if err != nil {
			return
		}
		written := strings.Split(key.String(), " ")
		if key.Trusted {
			written = append(written, "trusted")
		}
		again, err := parseKeySource(written)
		if err != nil || again != key {
			t.Errorf("%q is %+v, written again as %q: got %+v, %v", in, key, written, again, err)
		}
	})
}

func TestTrusted(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want bool
	}{
		{"header X-User", false},
		{"header X-User trusted", true},
		{"client_ip", false},
		{"{http.auth.user.id}", true},
		{"{http.auth.user.sub}", true},
		{"{http.auth.candidate.id}", false}, // who a rejected client claimed to be
		{"{http.auth.basic.error}", false},
		{"{http.reverse_proxy.header.Remote-User}", true}, // the answer to a forward_auth
		{"{http.reverse_proxy.upstream.address}", false},
		{"{http.request.tls.client.subject}", false}, // unverified, unless the server demands otherwise
		{"{http.vars.user}", false},
		{"{http.vars.user} trusted", true},
		{"cookie {http.auth.user.id}", false},
	} {
		words := strings.Fields(tt.in)
		key, err := parseKeySource(words)
		if err != nil { // a cookie of an impossible name: trust must not come from the name alone
			key = KeySource{From: KeyFrom(words[0]), Name: words[1]}
		}
		if got := key.trusted(); got != tt.want {
			t.Errorf("%q: got trusted %t, want %t", tt.in, got, tt.want)
		}
	}
}

func TestLoggedKeys(t *testing.T) {
	plain, credentials := new(caddyhttp.ServerLogConfig), &caddyhttp.ServerLogConfig{ShouldLogCredentials: true}
	for _, tt := range []struct {
		in   string
		logs *caddyhttp.ServerLogConfig
		want []string
	}{
		{"header x-user-id", nil, nil},
		{"header x-user-id", plain, []string{"request>headers>X-User-Id"}},
		{"header x-user-id, {http.request.header.X-User-Id}", plain, []string{"request>headers>X-User-Id"}},
		{"header Authorization", plain, nil},
		{"header Authorization", credentials, []string{"request>headers>Authorization"}},
		{"cookie uid, {http.request.cookie.sid}", plain, nil},
		{"cookie uid, {http.request.cookie.sid}", credentials, []string{"request>headers>Cookie"}},
		{"query user, {http.request.uri.query.user}, {http.request.orig_uri.path}", plain, []string{"request>uri"}},
		{"{http.auth.user.id}", plain, []string{"user_id"}},
		{"{http.auth.user.sub}", plain, nil},
		{"client_ip", plain, nil},
	} {
		var h Handler
		for source := range strings.SplitSeq(tt.in, ", ") {
			key, err := parseKeySource(strings.Fields(source))
			if err != nil {
				t.Fatalf("%q: %v", source, err)
			}
			h.Keys = append(h.Keys, key)
		}
		if got := h.loggedKeys(tt.logs); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}
