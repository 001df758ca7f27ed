//go:build unix

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
)

// anonymousCaddyfile has a site of plain HTTP on the unix socket and one of TLS on a port.
func anonymousCaddyfile(t *testing.T, port int) string {
	blue, green := startAgent(t, "blue"), startAgent(t, "green")
	return fmt.Sprintf(`{
	admin ADMIN
	auto_https disable_redirects
	skip_install_trust
	local_certs
	persist_config off
}

(split) {
	traffic_split assistant {
		stable blue
		canary green
		variant blue 50%% %s
		variant green 50%% %s
		override green {
			users nobody-can-claim-this
		}
		key header X-Trusted trusted
	}
}

http://example.test {
	bind SITE
	import split
}

https://localhost:%d {
	bind 127.0.0.1
	tls internal
	import split
}
`, blue.addr, green.addr, port)
}

func TestCookies(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	p := startProxy(t, anonymousCaddyfile(t, port))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	first := p.get("", "/")
	cookie := onlyCookie(t, first)
	if !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 30*24*3600 || cookie.Path != "/" {
		t.Errorf("cookie on plain HTTP: %s", cookie)
	}
	p.http.Jar = jar
	variant := p.mustGet("", "/")
	for range 20 {
		got := p.get("", "/")
		if got.body != variant {
			t.Fatalf("a client with cookies gets %s, and before that %s", got.body, variant)
		}
		if again := got.header.Values("Set-Cookie"); len(again) > 0 {
			t.Fatalf("it gets a cookie again: %q", again)
		}
	}
	p.http.Jar = nil
	if got := p.get("", "/cacheable"); len(got.header.Values("Set-Cookie")) > 0 {
		t.Errorf("a cookie on a cacheable answer: %q", got.header)
	}
	for _, forged := range []string{"x", "x.y", strings.TrimSuffix(cookie.Value, cookie.Value[len(cookie.Value)-4:]) + "AAAA"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: forged})
		if got := onlyCookie(t, send(p.http, r)); got.Value == forged {
			t.Errorf("a forged cookie %q is taken", forged)
		}
	}
	if strings.Contains(p.log(), "trusted_proxies") {
		t.Error("a warning of a proxy that is not there")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	send(p.http, r)
	if !strings.Contains(p.log(), "trusted_proxies") {
		t.Error("no warning of a proxy whose visitors all have one address")
	}
	secure := onlyCookie(t, getTLS(t, port))
	if !secure.Secure || !secure.HttpOnly {
		t.Errorf("cookie on TLS: %s", secure)
	}
}

// onlyCookie returns the one cookie of an answer.
func onlyCookie(t *testing.T, got reply) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: got.header}).Cookies()
	if got.err != nil || len(cookies) != 1 {
		t.Fatalf("want one cookie: %+v", got)
	}
	return cookies[0]
}

// getTLS asks the site on TLS; its certificate is of an authority of its own making.
func getTLS(t *testing.T, port int) reply {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	defer transport.CloseIdleConnections()
	var got reply
	await(t, "there is a certificate", func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://localhost:%d/", port), nil)
		if err != nil {
			t.Fatal(err)
		}
		got = send(&http.Client{Transport: transport}, r)
		return got.err == nil
	})
	return got
}
