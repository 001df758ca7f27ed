package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
)

// variantSites answers with the variant's name.
const variantSites = `
	stable blue
	canary green
	response_header X-Variant
	variant blue 50% {
		handle {
			respond blue
		}
	}
	variant green 50% {
		handle {
			respond green
		}
	}
`

// send returns the answer's body and the sticky cookie that came with it, or nil.
func (p *proxy) send(r *http.Request) (string, *http.Cookie) {
	p.t.Helper()
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		if c.Name == "switchback_s" {
			return string(body), c
		}
	}
	return string(body), nil
}

func (p *proxy) request(header ...string) *http.Request {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://agent.test/", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// hasSecret waits until cookies can be signed.
func (p *proxy) hasSecret() {
	p.t.Helper()
	eventually(p.t, "the fleet's secret", func() bool { return len(p.controller().Secrets()) > 0 })
}

func TestStickyCookie(t *testing.T) {
	p := startProxy(t, "traffic_split s {"+variantSites+"}")
	p.hasSecret()
	first, cookie := p.send(p.request())
	if cookie == nil {
		t.Fatal("an anonymous request got no cookie")
	}
	if !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 30*24*3600 {
		t.Errorf("cookie is %v, want HttpOnly, not Secure without TLS, SameSite=Lax, 30 days", cookie)
	}
	for range 5 {
		again, second := p.send(p.request("Cookie", cookie.Name+"="+cookie.Value))
		if again != first || second != nil {
			t.Errorf("with the cookie: %q and cookie %v, want %q and none", again, second, first)
		}
	}
}

// Until a client brings the cookie back it is placed by its address, so one that keeps no cookies stays where it is.
func TestNoCookiesKept(t *testing.T) {
	p := startProxy(t, "traffic_split s {"+variantSites+"}")
	p.hasSecret()
	first, _ := p.send(p.request())
	for range 20 {
		if got, _ := p.send(p.request()); got != first {
			t.Fatalf("moved from %q to %q", first, got)
		}
	}
}

func TestForgedCookie(t *testing.T) {
	p := startProxy(t, "traffic_split s {"+variantSites+"}")
	p.hasSecret()
	_, cookie := p.send(p.request())
	id, signature, _ := strings.Cut(cookie.Value, ".")
	for _, value := range []string{"chosen." + signature, id, id + ".", "." + signature, id + "." + signature + "x"} {
		if _, fresh := p.send(p.request("Cookie", "switchback_s="+value)); fresh == nil {
			t.Errorf("forged cookie %q was accepted", value)
		}
	}
	twice := p.request("Cookie", "switchback_s="+cookie.Value, "Cookie", "switchback_s="+cookie.Value)
	if _, fresh := p.send(twice); fresh == nil {
		t.Error("a repeated cookie was accepted")
	}
}

func TestCookieByAnotherSplitOrSecret(t *testing.T) {
	key, other := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	if sign(key, "s", "id") == sign(key, "t", "id") {
		t.Error("a cookie of one split is valid for another")
	}
	if sign(key, "s", "id") == sign(other, "s", "id") {
		t.Error("the signature does not depend on the secret")
	}
}

func TestIsCacheable(t *testing.T) {
	for _, tt := range []struct {
		in   http.Header
		want bool
	}{
		{http.Header{}, false},
		{http.Header{"Cache-Control": {"no-store"}}, false},
		{http.Header{"Cache-Control": {"private, max-age=60"}}, false},
		{http.Header{"Cache-Control": {"max-age=60"}}, true},
		{http.Header{"Cache-Control": {"public"}}, true},
		{http.Header{"Cache-Control": {"s-maxage=1"}}, true},
		{http.Header{"Expires": {"Thu, 01 Dec 2044 16:00:00 GMT"}}, true},
		{http.Header{"Etag": {`"x"`}}, true},
		{http.Header{"Etag": {`"x"`}, "Cache-Control": {"no-cache"}}, false},
	} {
		if got := isCacheable(tt.in); got != tt.want {
			t.Errorf("isCacheable(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestNoCookieOnCacheableAnswer(t *testing.T) {
	p := startProxy(t, `traffic_split s {
		stable blue
		variant blue 100% {
			handle {
				header Cache-Control "public, max-age=60"
				respond blue
			}
		}
	}`)
	p.hasSecret()
	if _, cookie := p.send(p.request()); cookie != nil {
		t.Errorf("a cacheable answer carries the cookie %v", cookie)
	}
}

// Keys are tried in order; one that is empty, repeated or too long is passed over.
func TestKeys(t *testing.T) {
	sources := []KeySource{
		{From: KeyHeader, Name: "X-User"}, {From: KeyCookie, Name: "uid"}, {From: KeyQuery, Name: "user"},
	}
	h := &Handler{Keys: sources, Anonymous: anonymousStable}
	for _, tt := range []struct {
		name   string
		target string
		header http.Header
		want   string
	}{
		{"header first", "/?user=q", http.Header{"X-User": {"h"}, "Cookie": {"uid=c"}}, "h"},
		{"empty header", "/?user=q", http.Header{"X-User": {""}, "Cookie": {"uid=c"}}, "c"},
		{"repeated header", "/?user=q", http.Header{"X-User": {"a", "b"}}, "q"},
		{"repeated cookie", "/?user=q", http.Header{"Cookie": {"uid=a; uid=b"}}, "q"},
		{"repeated parameter", "/?user=a&user=b", nil, ""},
		{"escaped parameter", "/?user=a%20b&x=%zz", nil, "a b"},
		{"broken parameter", "/?user=%zz", nil, ""},
		{"too long", "/?user=q", http.Header{"X-User": {strings.Repeat("x", maxKey+1)}}, "q"},
		{"as long as may be", "/", http.Header{"X-User": {strings.Repeat("x", maxKey)}}, strings.Repeat("x", maxKey)},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://x"+tt.target, http.NoBody)
		r.Header = tt.header
		if got := h.place(r).Key; got != tt.want {
			t.Errorf("%s: key %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzQueryValue(f *testing.F) {
	f.Add("user=a&b=%20", "user")
	f.Add("&&=&;a=b", "")
	f.Fuzz(func(t *testing.T, query, name string) {
		r := &http.Request{URL: httptest.NewRequest(http.MethodGet, "/", http.NoBody).URL}
		r.URL.RawQuery = query
		got := queryValue(query, name)
		if all := r.URL.Query()[name]; got != "" && (len(all) == 0 || all[0] != got) {
			t.Errorf("queryValue(%q, %q) = %q, net/url has %q", query, name, got, all)
		}
	})
}

// Overrides by user need the trusted key: the same name from an untrusted source does nothing.
func TestOverrides(t *testing.T) {
	p := startProxy(t, `
	@qa header X-QA yes
	traffic_split s {
		key header X-User trusted
		key query user
		stable blue
		canary green
		variant blue 100% {
			handle {
				respond "{http.traffic_split.s.variant} {http.traffic_split.s.reason} {vars.traffic_split_s}"
			}
		}
		variant green 0% {
			handle {
				respond "{http.traffic_split.s.variant} {http.traffic_split.s.reason} {vars.traffic_split_s}"
			}
		}
		override green {
			users alice
		}
		override green {
			match @qa
		}
	}`)
	for _, tt := range []struct {
		header []string
		query  string
		want   string
	}{
		{[]string{"X-User", "alice"}, "", "green TARGETING_MATCH green"},
		{nil, "user=alice", "blue SPLIT blue"},
		{[]string{"X-User", "bob"}, "", "blue SPLIT blue"},
		{[]string{"X-User", "bob", "X-QA", "yes"}, "", "green TARGETING_MATCH green"},
	} {
		r := p.request(tt.header...)
		r.URL.RawQuery = tt.query
		if got, _ := p.send(r); got != tt.want {
			t.Errorf("%v %q: got %q, want %q", tt.header, tt.query, got, tt.want)
		}
	}
	p.kill("s", "green", splitter.KillRequests)
	if got, _ := p.send(p.request("X-User", "alice")); got != "blue DEFAULT blue" {
		t.Errorf("with green killed alice got %q, want %q", got, "blue DEFAULT blue")
	}
}

// Shares follow the weights, and every user stays on one variant.
func TestShares(t *testing.T) {
	p := startProxy(t, "traffic_split s {\nkey header X-User\n"+variantSites+"}")
	seen := map[string]int{}
	for i := range 400 {
		user := fmt.Sprint("user-", i)
		first, _ := p.send(p.request("X-User", user))
		if second, _ := p.send(p.request("X-User", user)); second != first {
			t.Fatalf("%s moved from %s to %s", user, first, second)
		}
		seen[first]++
	}
	if g := seen["green"]; g < 140 || g > 260 { // six standard deviations
		t.Errorf("shares are %v, want about half each", seen)
	}
}
