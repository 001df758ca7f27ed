package alert_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/alert"
)

// sink is a server that keeps what it is sent.
type sink struct {
	*httptest.Server
	mu      sync.Mutex // protects the following fields
	headers []http.Header
	paths   []string
	bodies  []string
	status  int
	answer  string
	dialled string
}

func newSink(t testing.TB) *sink {
	t.Helper()
	s := new(sink)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP keeps a request.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = []byte(err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers, s.bodies, s.paths = append(s.headers, r.Header), append(s.bodies, string(body)), append(s.paths, r.URL.Path)
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	fmt.Fprint(w, s.answer)
}

// only returns the one request that came.
func (s *sink) only(t testing.TB) (path, body string, header http.Header) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bodies) != 1 {
		t.Fatalf("got %d requests, want one", len(s.bodies))
	}
	return s.paths[0], s.bodies[0], s.headers[0]
}

func (s *sink) payload(t testing.TB) alert.Payload {
	t.Helper()
	_, body, _ := s.only(t)
	var p alert.Payload
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return p
}

// everywhere has every address of this process's HTTP clients lead to s, which speaks TLS and is trusted.
func everywhere(t *testing.T, s *sink) {
	t.Helper()
	secure := httptest.NewTLSServer(s)
	t.Cleanup(secure.Close)
	transport := secure.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // of its certificate
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		s.mu.Lock()
		s.dialled = addr
		s.mu.Unlock()
		return new(net.Dialer).DialContext(ctx, network, secure.Listener.Addr().String())
	}
	before := http.DefaultTransport
	http.DefaultTransport = transport
	t.Cleanup(func() { http.DefaultTransport = before; transport.CloseIdleConnections() })
}

func TestWebhook(t *testing.T) {
	hook := newSink(t)
	target := newTarget(t, alert.Config{Name: "hook", URL: hook.URL + "/in", Secret: "hush", Link: "https://dash.example.com/"})
	ev := failback(t)
	if err := target.Send(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	_, body, header := hook.only(t)
	if got := header.Get(alert.HeaderEventID); got != ev.ID {
		t.Errorf("event id: got %q, want %q", got, ev.ID)
	}
	if got, want := header.Get(alert.HeaderSignature), alert.Signature("hush", header.Get(alert.HeaderTimestamp), []byte(body)); got != want {
		t.Errorf("signature: got %q, want %q", got, want)
	}
	got := hook.payload(t)
	want := alert.Payload{ID: ev.ID, Kind: "failback", Severity: "critical", Split: "assistant", Revision: 12, Epoch: 3, At: ev.At,
		Actor: "switchback", Via: "judge", Reason: ev.Reason, Title: got.Title, Text: got.Text, From: ev.From, To: ev.To,
		Evidence: ev.Evidence, Link: "https://dash.example.com/"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A signature as `printf '%s.%s' 1764295200 '{}' | openssl dgst -sha256 -hmac hush` makes it.
func TestSignature(t *testing.T) {
	const want = "v1=d4830ab149d3cfc6b8cef33d4e652d9dba6cf0d4828f0f18ac3a9c151d04bfc4"
	if got := alert.Signature("hush", "1764295200", []byte("{}")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWebhookWithoutSecretIsNotSigned(t *testing.T) {
	hook := newSink(t)
	if err := newTarget(t, alert.Config{Name: "hook", URL: hook.URL}).Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _, header := hook.only(t)
	if got := header.Values(alert.HeaderSignature); got != nil {
		t.Errorf("got signatures %q", got)
	}
	if got := hook.payload(t); got.Kind != "test" || !strings.Contains(got.Text, `the target "hook"`) {
		t.Errorf("got %+v", got)
	}
}

func TestWebhookFails(t *testing.T) {
	for status, want := range map[int]string{503: "503 Service Unavailable", 302: "302 Found", 404: "404 Not Found"} {
		hook := newSink(t)
		hook.status = status
		err := newTarget(t, alert.Config{Name: "hook", URL: hook.URL + "/s3cr3t-path"}).Send(t.Context(), failback(t))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: got %v, want %q", status, err, want)
		}
	}
	gone := newSink(t)
	gone.Close()
	err := newTarget(t, alert.Config{Name: "hook", URL: gone.URL + "/s3cr3t-path"}).Send(t.Context(), failback(t))
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("gone: got %v, want refused, without the path", err)
	}
}

// What services of shoutrrr are sent over the wire, with the event's id where they take one.
func TestServices(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	for _, tt := range []struct {
		url, answer, dialled, path string
		want                       []string
	}{
		{"slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook", "ok",
			"hooks.slack.com:443", "/services/AAAAAAAAA/BBBBBBBBB/123456789123456789123456", []string{`"assistant: the canary failed`, "Why: 12 of 410 failed"}},
		{"discord://token0123456789@123456789", "", "discord.com:443", "/api/webhooks/123456789/token0123456789", []string{`assistant: the canary failed`}},
		{"pagerduty:///" + key, "", "events.pagerduty.com:443", "/v2/enqueue", []string{`"dedup_key":"00c0ffee00c0ffee"`, `"severity":"critical"`, `"source":"assistant"`,
			`"client_url":"https://dash.example.com/"`, `assistant: the canary failed`}},
		{"pagerduty://events.eu.pagerduty.com/" + key + "?severity=info", "", "events.eu.pagerduty.com:443", "/v2/enqueue", []string{`"severity":"info"`}},
		{"opsgenie://api.opsgenie.com/" + key, "", "api.opsgenie.com:443", "/v2/alerts", []string{`"alias":"00c0ffee00c0ffee"`, `"priority":"P1"`, `"entity":"assistant"`,
			`"message":"assistant: the canary failed`}},
		{"generic://example.com/hook?template=json", "", "example.com:443", "/hook", []string{`assistant: the canary failed`}},
		{"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@team:7", `{"ok":true}`,
			"api.telegram.org:443", "/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage", []string{"Why: 12 of 410 failed", `"chat_id":"@team"`, `"message_thread_id":7`}},
	} {
		scheme, _, _ := strings.Cut(tt.url, ":")
		t.Run(scheme, func(t *testing.T) {
			s := newSink(t)
			s.answer = tt.answer
			everywhere(t, s)
			target := newTarget(t, alert.Config{Name: "chat", URL: tt.url, Link: "https://dash.example.com/"})
			if err := target.Send(t.Context(), failback(t)); err != nil {
				t.Fatal(err)
			}
			path, body, _ := s.only(t)
			if path != tt.path || s.dialled != tt.dialled {
				t.Errorf("got %s at %s, want %s at %s", path, s.dialled, tt.path, tt.dialled)
			}
			for _, want := range tt.want {
				if !strings.Contains(body, want) {
					t.Errorf("got %s, want %s in it", body, want)
				}
			}
		})
	}
}

// No error has a token in it, though the service sends it back.
func TestErrorsHaveNoSecrets(t *testing.T) {
	for _, tt := range []struct {
		url     string
		secrets []string
	}{
		{"slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook", []string{"AAAAAAAAA", "123456789123456789123456"}},
		{"discord://token0123456789@123456789", []string{"token0123456789", "123456789"}},
		{"pagerduty:///0123456789abcdef0123456789abcdef", []string{"0123456789abcdef0123456789abcdef"}},
		{"opsgenie://api.opsgenie.com/eb243592-faa2-4ba2-a551q-1afdf565c889", []string{"eb243592", "1afdf565c889"}},
		{"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@team", []string{"110201543", "AAHdqTcv"}},
		{"ifttt://k3y0123456789/?events=switchback", []string{"k3y0123456789"}},
		{"https://user:passw0rd@example.com/in/t0ken?key=q1w2e3r4", []string{"passw0rd", "t0ken", "q1w2e3r4"}},
	} {
		scheme, _, _ := strings.Cut(tt.url, ":")
		t.Run(scheme, func(t *testing.T) {
			s := newSink(t)
			s.status, s.answer = http.StatusForbidden, "no such token: "+strings.Join(tt.secrets, " ")
			everywhere(t, s)
			err := newTarget(t, alert.Config{Name: "chat", URL: tt.url}).Send(t.Context(), failback(t))
			if err == nil {
				t.Fatal("got no error")
			}
			hasNone(t, err.Error(), tt.secrets)
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			hasNone(t, alert.Clean(u, fmt.Errorf("Post %q: %s", tt.url, tt.url)), tt.secrets)
		})
	}
}

func hasNone(t *testing.T, text string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%q is in %q", s, text)
		}
	}
}

func TestCleanKeepsWhatHelps(t *testing.T) {
	u, err := url.Parse("smtp://user:passw0rd@mail.example.com:587/?from=a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	in := errors.New("dial tcp: lookup mail.example.com: no such host\nwith passw0rd")
	want := "dial tcp: lookup mail.example.com: no such host with …"
	if got := alert.Clean(u, in); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A service that never answers does not hold up its courier, and does not pile up.
func TestHungService(t *testing.T) {
	release := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hung.Close)
	t.Cleanup(func() { close(release) })
	target := newTarget(t, alert.Config{Name: "hung", URL: "generic+" + hung.URL + "/"})
	var last error
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if last = target.Send(ctx, failback(t)); last == nil {
			t.Error("got no error")
		}
		cancel()
	}
	if want := "4 earlier tries have not ended"; last == nil || !strings.Contains(last.Error(), want) {
		t.Errorf("got %v, want %q", last, want)
	}
}

// Every service that there is can be looked into without a panic.
func TestEveryServiceIsKnown(t *testing.T) {
	for _, scheme := range alert.Schemes() {
		_, err := alert.New(alert.Config{Name: "x", URL: scheme + "://"})
		if err != nil && strings.Contains(err.Error(), "begins with") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		in   alert.Config
		want string
	}{
		{alert.Config{URL: "slak://t0ken"}, "its URL begins with slak://: it must be http or https, or one of bark, "},
		{alert.Config{URL: "t0ken"}, "its URL cannot be read"},
		{alert.Config{URL: "http://t0ken:%zz"}, "its URL cannot be read"},
		{alert.Config{URL: "https:///t0ken"}, "its URL cannot be read"},
		{alert.Config{URL: "logger://t0ken"}, "its URL begins with logger://"},
		{alert.Config{URL: "pagerduty:///t0ken"}, "its URL is none that pagerduty takes"},
		{alert.Config{URL: "discord://t0ken@123", Secret: "hush"}, "a secret goes with http:// and https:// only"},
		{alert.Config{URL: "https://example.com/", Events: []string{"failbck"}}, `events "failbck": it must be one of aborted, `},
	} {
		_, err := alert.New(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.in.URL, err, tt.want)
			continue
		}
		hasNone(t, err.Error(), []string{"t0ken"})
	}
}

// An event that a target's template fails for is told all the same.
func TestTargetOfAnEventOfALaterRelease(t *testing.T) {
	hook := newSink(t)
	ev := eventOf("of_a_later_release")
	ev.Split = "assistant"
	if err := newTarget(t, alert.Config{Name: "hook", URL: hook.URL}).Send(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	if got, want := hook.payload(t).Title, "assistant: of_a_later_release"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
